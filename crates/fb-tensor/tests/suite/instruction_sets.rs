//! The whole suite once more with each lower instruction set.

use fb_tensor::{InstructionSet, instruction_set};
use std::process::Command;

const VARIABLE: &str = "FB_ISA";

#[test]
fn the_suite_passes_with_every_instruction_set() {
    if std::env::var_os(VARIABLE).is_some() {
        // This is one of the runs started below, or somebody chose a set for the whole run.
        return;
    }
    for set in ["avx2", "portable"] {
        let suite = std::env::current_exe().expect("the test binary has a path");
        let run = Command::new(suite)
            .env(VARIABLE, set)
            .arg("--quiet")
            .output()
            .expect("the test binary runs");
        let text = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "with {VARIABLE}={set}:\n{text}");
    }
}

#[test]
fn a_lower_set_can_be_forced() {
    let forced = std::env::var(VARIABLE);
    match forced.as_deref() {
        Ok("portable") => assert_eq!(instruction_set(), InstructionSet::Portable),
        Ok("avx2") => assert!(instruction_set() <= InstructionSet::Avx2),
        _ => {}
    }
}
