//! x
pub(super) fn command() -> clap::Command {
    clap::Command::new("sandbox")
}
pub(super) fn run(_: &clap::ArgMatches) -> Result<(), super::Failure> {
    Ok(())
}
