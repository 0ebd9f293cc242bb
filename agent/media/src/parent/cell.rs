//! What a child may reach, and the thread that is locked in with it: Landlock.
//!
//! Landlock binds the thread that asks for it and whatever that thread starts, from the first instruction on: the loader, the
//! constructors of two hundred libraries, each thread they make. So a child is started by a thread of its own that has entered
//! the cell before. System calls are the child's own business (`child::confine`): a filter of ours would forbid its start.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};

/// The newest Landlock that this program was tried with: files, truncation, TCP, devices, signals and abstract sockets.
pub(super) const NEWEST_ABI: u8 = 6;
/// From here on Landlock knows TCP ports.
const ABI_TCP: u8 = 4;

/// Where programs and libraries lie. Read and executed, never written.
const SYSTEM: [&str; 10] =
    ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/nix", "/gnu", "/snap"];
/// What the loader, the C library and TLS read: names of hosts, zones of time, who certifies servers; the shape of the machine.
const READ: [&str; 20] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/gnutls",
    "/etc/crypto-policies",
    "/etc/pki/tls",
    "/etc/ca-certificates",
    "/sys/devices/system",
    "/dev/urandom",
    "/dev/zero",
];
/// What GStreamer, drivers and hardware decoders may need beside that, whichever it is.
const READ_FOR_DEVICES: [&str; 5] = ["/etc", "/run", "/sys", "/proc", "/var/lib"];
/// Never read, whatever lies around it.
const NEVER: [&str; 3] = ["/etc/kerbside", "/etc/ssl/private", "/var/lib/kerbside"];

/// TCP ports that a child may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ports {
    /// These alone; an empty list: none.
    Only(Vec<u16>),
    /// A pipeline names its peers in a language of its own.
    Any,
}

/// What one child may reach.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Read and executed: the program, and what it needs beside the system's libraries.
    pub(super) programs: Vec<PathBuf>,
    /// Read.
    pub(super) reads: Vec<PathBuf>,
    /// Written: files that exist already.
    pub(super) writes: Vec<PathBuf>,
    /// Kept out, also where it lies below something that is read.
    pub(super) keep_out: Vec<PathBuf>,
    pub(super) ports: Ports,
    /// Devices and what drivers need.
    pub(super) devices: bool,
    /// Pretends to run on a kernel that has no newer Landlock than this; 0: none at all.
    pub(super) newest_abi: u8,
}

/// What Landlock holds of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entered {
    /// 0: nothing.
    pub(super) abi: u8,
    /// Why there is none.
    pub(super) why_not: Option<String>,
    ports: Ports,
}

impl Entered {
    /// TCP goes to the camera alone, from the start on.
    pub(super) fn holds_tcp(&self) -> bool {
        self.abi >= ABI_TCP && self.ports != Ports::Any
    }

    /// Nothing is open to the child's sockets at all.
    pub(super) fn needs_no_network(&self) -> bool {
        self.ports == Ports::Only(Vec::new())
    }
}

impl Cell {
    /// Locks the calling thread in, for ever, with all that it starts from here on.
    pub(super) fn enter(&self) -> Entered {
        let none = |why_not: String| Entered { abi: 0, why_not: Some(why_not), ports: self.ports.clone() };
        if self.newest_abi == 0 {
            return none("this kernel counts as one without Landlock".to_owned());
        }
        match self.rules().and_then(RulesetCreated::restrict_self) {
            Err(error) => none(format!("Landlock: {error}")),
            Ok(status) => match status.landlock {
                LandlockStatus::NotEnabled => {
                    none("Landlock is switched off (kernel parameter lsm=)".to_owned())
                }
                LandlockStatus::NotImplemented => none(format!("{} has no Landlock", kernel())),
                LandlockStatus::Available { effective_abi, .. } => {
                    let abi = (effective_abi as u8).min(self.newest_abi);
                    Entered { abi, why_not: None, ports: self.ports.clone() }
                }
            },
        }
    }

    fn rules(&self) -> Result<RulesetCreated, RulesetError> {
        let abi = ABI::from(i32::from(self.newest_abi.min(NEWEST_ABI)));
        let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(abi))?;
        if self.newest_abi >= ABI_TCP {
            ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
            if self.ports != Ports::Any {
                ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
            }
        }
        let scopes = Scope::from_all(abi);
        if !scopes.is_empty() {
            ruleset = ruleset.scope(scopes)?;
        }
        let mut rules = ruleset.create()?;
        for (paths, access) in self.accesses(abi) {
            rules = rules.add_rules(path_beneath_rules(paths, access))?;
        }
        if let (Ports::Only(ports), true) = (&self.ports, self.newest_abi >= ABI_TCP) {
            for port in ports {
                rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
            }
        }
        Ok(rules)
    }

    fn accesses(&self, abi: ABI) -> Vec<(Vec<PathBuf>, BitFlags<AccessFs>)> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let run = read | AccessFs::Execute;
        let write = (AccessFs::WriteFile | AccessFs::Truncate) & AccessFs::from_all(abi);
        let mut accesses = vec![
            (self.spread(&SYSTEM), run),
            (self.programs.clone(), run),
            (self.spread(&READ), read),
            (self.reads.clone(), read),
            (self.writes.clone(), read | write),
            (vec!["/dev/null".into()], read | write),
        ];
        if self.devices {
            let device = read | write | (AccessFs::from_all(abi) & AccessFs::IoctlDev);
            accesses.push((self.spread(&READ_FOR_DEVICES), read));
            accesses.push((vec!["/dev".into()], device));
            // Drivers share memory by files that they make there.
            accesses.push((vec!["/dev/shm".into()], read | write | AccessFs::MakeReg | AccessFs::RemoveFile));
            accesses.push((gstreamer_cache(), AccessFs::from_all(abi)));
        }
        accesses
    }

    fn spread(&self, roots: &[&str]) -> Vec<PathBuf> {
        let never = NEVER.iter().map(PathBuf::from);
        let keep_out: Vec<PathBuf> = self.keep_out.iter().cloned().chain(never).collect();
        roots.iter().flat_map(|root| all_but(Path::new(root), &keep_out)).collect()
    }
}

/// `root`, or if something that is kept out lies below it, what lies beside that. Landlock only allows.
fn all_but(root: &Path, keep_out: &[PathBuf]) -> Vec<PathBuf> {
    if keep_out.iter().any(|secret| root.starts_with(secret)) {
        return Vec::new();
    }
    if !keep_out.iter().any(|secret| secret.starts_with(root)) {
        return vec![root.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    entries.flatten().flat_map(|entry| all_but(&entry.path(), keep_out)).collect()
}

/// Where GStreamer remembers its plug-ins; without it each start would look through all of them. It is made if need be.
fn gstreamer_cache() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let Some(cache) = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home) else {
        return Vec::new();
    };
    let folder = cache.join("gstreamer-1.0");
    match std::fs::create_dir_all(&folder) {
        Ok(()) => vec![folder],
        Err(_) => Vec::new(),
    }
}

/// "kernel 6.1".
pub(super) fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: Vec<&str> = release.trim().split('.').take(2).collect();
    format!("kernel {}", version.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_out_is_cut_out_of_what_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (data, key) = (dir.path().join("kerbside/data"), dir.path().join("kerbside/site.toml"));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::create_dir_all(dir.path().join("lib")).unwrap();
        std::fs::write(&key, "").unwrap();
        std::fs::write(dir.path().join("kerbside/program"), "").unwrap();
        let mut left = all_but(dir.path(), &[data.clone(), key.clone()]);
        left.sort();
        assert_eq!(left, [dir.path().join("kerbside/program"), dir.path().join("lib")]);
        assert_eq!(all_but(&data.join("evidence"), std::slice::from_ref(&data)), Vec::<PathBuf>::new());
        assert_eq!(all_but(Path::new("/usr"), &[data]), [PathBuf::from("/usr")]);
    }

    #[test]
    fn a_thread_in_a_cell_reads_what_it_may_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (open, secret) = (dir.path().join("open"), dir.path().join("secret"));
        std::fs::write(&open, "open").unwrap();
        std::fs::write(&secret, "secret").unwrap();
        let cell = Cell {
            programs: Vec::new(),
            reads: vec![open.clone()],
            writes: Vec::new(),
            keep_out: Vec::new(),
            ports: Ports::Only(Vec::new()),
            devices: false,
            newest_abi: NEWEST_ABI,
        };
        let read = std::fs::read_to_string;
        let inside = {
            let (open, secret) = (open.clone(), secret.clone());
            std::thread::spawn(move || (cell.enter(), read(open).is_ok(), read(secret).is_ok()))
                .join()
                .unwrap()
        };
        let (entered, may, must_not) = inside;
        assert!(may);
        // A kernel without Landlock says so, and then the secret can be read.
        assert_eq!(must_not, entered.abi == 0, "{entered:?}");
        assert_eq!(read(secret).unwrap(), "secret", "the other threads go on as before");
    }
}
