//! Everything about a declaration that can be wrong before parameters exist.

use super::BuiltNode;
use crate::error::{Error, Result};
use crate::feedback::topology::{Combine, Edge, INPUT, Projection, Topology};
use crate::module::{Scope, ValueKind};
use fb_tensor::Float;
use std::collections::HashSet;

/// The most iterations of a schedule: each is kept in memory for its gradient, so a larger number is a mistake, or a
/// damaged file.
const MOST_ITERATIONS: usize = 1_000_000;

/// Checks names, ends of edges, delays and the schedule.
pub(super) fn declaration<F: Float>(topology: &Topology) -> Result<()> {
    if topology.nodes.is_empty() {
        return Err(Error::Config {
            what: "network".to_owned(),
            expected: "at least one layer".to_owned(),
            found: "none".to_owned(),
            help: "add one with .layer(\"output\", Dense::new(1))".to_owned(),
        });
    }
    // One index is a sample, a number without an axis of features is not.
    let without_axes = topology.input.shape.is_empty() && topology.input.kind != ValueKind::Index;
    if without_axes || topology.input.elements() == 0 {
        return Err(Error::Config {
            what: "network input".to_owned(),
            expected: "a shape per sample with at least one feature".to_owned(),
            found: topology.input.shape.to_string(),
            help:
                "the batch axis is left out: Sequential::input([2]) takes data of shape [batch, 2]"
                    .to_owned(),
        });
    }
    let most = Scope::<F>::MOST_NUMBERS;
    if topology.input.elements() > most {
        return Err(Error::Config {
            what: "network input".to_owned(),
            expected: format!("at most {most} numbers for a sample"),
            found: topology.input.to_string(),
            help: "check each size for a slip".to_owned(),
        });
    }
    names(topology)?;
    topology.schedule.validate()?;
    let iterations = topology.schedule.iterations();
    if iterations > MOST_ITERATIONS {
        return Err(Error::Config {
            what: topology.schedule.kind().to_owned(),
            expected: format!("at most {MOST_ITERATIONS} iterations"),
            found: iterations.to_string(),
            help: "a loop that settles does so within tens or hundreds of iterations".to_owned(),
        });
    }
    let mut seen = HashSet::new();
    for edge in &topology.edges {
        ends(topology, edge)?;
        if !seen.insert((&edge.from, &edge.to)) {
            let detail = format!(
                "parameters are named by the two layers ({}/weight), so there is one edge for each pair",
                edge.path()
            );
            let again = format!("{}_again", edge.from);
            let help = format!(
                "drop one of them; or give the second a source of its own, a layer that hands {:?} on: .layer({again:?}, Activation::Linear) after it, and .feedback({again:?}, {:?})",
                edge.from, edge.to
            );
            return Err(edge.error("is declared twice", detail, help));
        }
        timing(topology, edge)?;
    }
    Ok(())
}

fn names(topology: &Topology) -> Result<()> {
    let mut seen = HashSet::new();
    for node in &topology.nodes {
        let wrong = |problem, help: &str| {
            Err(Error::Name {
                what: "layer",
                name: node.name.clone(),
                problem,
                help: help.to_owned(),
            })
        };
        if node.name.is_empty() {
            return wrong(
                "has no name",
                "names address layers in feedback edges, files and summaries",
            );
        }
        if node.name == INPUT || node.name == "feedback" {
            return wrong(
                "has a reserved name",
                "\"input\" is the network's input, \"feedback\" the path of edges",
            );
        }
        if node.name.contains(['/', '*', '?']) || node.name.contains("->") {
            return wrong(
                "has a name with '/', '*', '?' or '->' in it",
                "these have a meaning in parameter paths",
            );
        }
        if node.name.contains(char::is_control) {
            return wrong(
                "has a name with a line break, a tab or the like in it",
                "names stand on one line in summaries and files",
            );
        }
        if !seen.insert(&node.name) {
            return wrong("is declared twice", "give each layer a name of its own");
        }
    }
    Ok(())
}

fn ends(topology: &Topology, edge: &Edge) -> Result<()> {
    let find = |name: &str| {
        topology.position(name).ok_or_else(|| Error::UnknownName {
            what: format!("feedback {:?} -> {:?}", edge.from, edge.to),
            kind: "layer",
            name: name.to_owned(),
            help: topology.layer_list(),
        })
    };
    if edge.from == INPUT {
        let detail = "the input is the same at every iteration: there is nothing to feed back";
        return Err(edge.error(
            "starts at the input",
            detail,
            "a forward connection from the input needs no delay",
        ));
    }
    let from = find(&edge.from)?;
    if edge.to == INPUT {
        return Ok(());
    }
    let to = find(&edge.to)?;
    if from < to {
        let detail = format!(
            "{:?} comes before {:?}, so this is a forward connection",
            edge.from, edge.to
        );
        let help = format!(
            "feedback goes from a later layer to an earlier one: .feedback({:?}, {:?})",
            edge.to, edge.from
        );
        return Err(edge.error("does not go back", detail, help));
    }
    Ok(())
}

fn timing(topology: &Topology, edge: &Edge) -> Result<()> {
    if edge.delay == 0 {
        let detail = "a loop without delay has no order in which to compute it";
        let help = "use .delay(1) and iterate with .schedule(Unroll::iterations(n))";
        return Err(edge.error("has a delay of 0", detail, help));
    }
    if edge.delay >= MOST_ITERATIONS {
        let detail = format!(
            "its delay is {}, and a schedule makes at most {MOST_ITERATIONS} iterations",
            edge.delay
        );
        return Err(edge.error("can never be reached", detail, "use a shorter delay"));
    }
    let iterations = topology.schedule.iterations();
    if edge.delay >= iterations {
        let detail = format!(
            "its delay is {}, so it first carries a value at iteration {}, and the schedule stops after {iterations}",
            edge.delay,
            edge.delay + 1
        );
        let help = format!(
            "use .schedule(Unroll::iterations({})) or more",
            edge.delay + 1
        );
        return Err(edge.error("can never be reached", detail, help));
    }
    if edge.combine == Combine::Concat && edge.projection != Projection::Learned {
        let detail = "concatenation has no projection: the widened layer has the weights";
        let method = match edge.projection {
            Projection::Full => "full",
            _ => "identity",
        };
        return Err(edge.error(
            format!("is both .{method}() and .concat()"),
            detail,
            "drop one of them",
        ));
    }
    Ok(())
}

/// Checks that widening layers did not change the shapes that it was computed from.
pub(super) fn concat_shapes<F: Float>(
    topology: &Topology,
    narrow: &[BuiltNode<F>],
    wide: &[BuiltNode<F>],
) -> Result<()> {
    for edge in topology
        .edges
        .iter()
        .filter(|edge| edge.combine == Combine::Concat)
    {
        let from = topology.position(&edge.from).expect("ends were checked");
        let before = narrow[from].output;
        let target = topology
            .position(&edge.to)
            .map_or(topology.input, |to| narrow[to].input);
        if target.kind != ValueKind::Float {
            return Err(super::edge::carries_no_numbers(edge, before, target));
        }
        let lead =
            |spec: crate::module::Spec| spec.shape[..spec.shape.len().saturating_sub(1)].to_vec();
        if before.kind != ValueKind::Float
            || lead(before) != lead(target)
            || before.shape.is_empty()
        {
            let detail = format!(
                "{:?} gives {before}; {:?} takes {target}",
                edge.from, edge.to
            );
            let help = "concatenation is along the last axis, the others must be equal; drop .concat() to learn a map";
            return Err(edge.error("cannot be concatenated", detail, help));
        }
        if wide[from].output != before {
            let detail = format!(
                "{:?} gives {before} without it and {} with it: its own width would depend on itself",
                edge.from, wide[from].output
            );
            let help =
                "put a layer with a fixed width (such as Dense) inside the loop, or drop .concat()";
            return Err(edge.error("cannot be concatenated", detail, help));
        }
    }
    Ok(())
}
