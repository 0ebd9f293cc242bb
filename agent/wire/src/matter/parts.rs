//! What a message about an incident is made of.

use kerbside_domain::report::Report;
use kerbside_site::geo::Matter;
use kerbside_site::place::Place;

use crate::identity::Identity;

/// All of it, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    pub(super) who: &'a Identity,
    pub(super) report: &'a Report,
    pub(super) place: Option<&'a Place>,
    pub(super) matter: Option<&'a Matter>,
}
