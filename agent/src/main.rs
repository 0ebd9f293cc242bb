//! The program `kerbside`: command line and exit codes.

fn main() {}
