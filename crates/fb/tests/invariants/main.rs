//! The rules that hold the house together, checked on the source tree itself.
//!
//! A rule is a function from a [`tree::Tree`] to the places that break it, so each can be shown a bad sample: its tests
//! stand beside it. The tests here run the rules on the repository.
#![forbid(unsafe_code)]

mod confined;
mod imports;
mod manifests;
mod paths;
mod prose;
mod rust;
mod tidy;
mod tree;

use tree::{Finding, Tree};

/// Runs a rule on the repository and lists every place that breaks it.
fn hold(rule: fn(&Tree) -> Vec<Finding>) {
    let findings = rule(&Tree::of_repository());
    let listed: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(
        listed.is_empty(),
        "{} broken:\n{}",
        listed.len(),
        listed.join("\n")
    );
}

/// A rule about a folder that was renamed would hold for ever.
#[test]
fn the_places_that_rules_name_exist() {
    let tree = Tree::of_repository();
    let rooms = imports::ROOMS.into_iter().chain(imports::UPPER);
    let rooms = rooms.map(|room| format!("{}{room}", imports::SOURCE));
    let homes = confined::UNSAFE_HOMES.map(str::to_owned);
    for place in rooms.chain(homes) {
        assert!(
            tree.has(&place) || tree.has(&format!("{place}.rs")),
            "{place} is gone: name its successor in the rule"
        );
    }
}

#[test]
fn crates_import_only_what_stands_below_them() {
    hold(manifests::crate_order);
}

#[test]
fn rooms_of_fb_nn_do_not_name_each_other() {
    hold(imports::rooms_apart);
}

#[test]
fn feedback_is_built_from_solver_to_network() {
    hold(imports::feedback_order);
}

#[test]
fn crate_roots_forbid_unsafe_code() {
    hold(confined::forbid_attribute);
}

#[test]
fn unsafe_stays_in_kernels_and_storage() {
    hold(confined::unsafe_code);
}

#[test]
fn bincode_is_named_in_one_file() {
    hold(confined::wire_format);
}

#[test]
fn rayon_stays_in_the_kernels_and_the_loader() {
    hold(confined::parallelism);
}

#[test]
fn commands_in_prose_exist() {
    hold(prose::commands);
}

#[test]
fn paths_in_prose_exist() {
    hold(prose::paths);
}

#[test]
fn every_example_is_introduced() {
    hold(prose::examples_introduced);
}

#[test]
fn nothing_is_left_unfinished() {
    hold(tidy::unfinished);
}

#[test]
fn no_path_of_a_machine_is_named() {
    hold(tidy::machine_paths);
}

#[test]
fn every_source_file_belongs_to_its_module() {
    hold(tidy::orphans);
}
