//! The store of pure tests: maps in memory, gone with the process.

use std::collections::BTreeMap;

use super::store::{IndexChange, IndexError, Store, Table};

#[derive(Debug, Default)]
pub struct MemoryStore {
    maps: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Store for MemoryStore {
    fn scan(&self, table: Table) -> Result<Vec<(Vec<u8>, Vec<u8>)>, IndexError> {
        let pairs = self.maps.get(&table).into_iter().flatten();
        Ok(pairs.map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    fn apply(&mut self, changes: &[IndexChange]) -> Result<(), IndexError> {
        for change in changes {
            let map = self.maps.entry(change.table).or_default();
            match &change.value {
                Some(value) => drop(map.insert(change.key.clone(), value.clone())),
                None => drop(map.remove(&change.key)),
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), IndexError> {
        Ok(())
    }
}
