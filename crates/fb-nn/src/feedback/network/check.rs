//! Everything about a declaration that can be wrong before parameters exist.

use super::Wiring;
use super::build::BuiltValues;
use crate::error::{Error, Result};
use crate::feedback::schedule::{Halt, MOST_ITERATIONS, Rule};
use crate::feedback::topology::{Clock, Combine, Edge, INPUT, Initial, Projection, Topology};
use crate::module::{Scope, Spec, ValueKind};
use fb_tensor::Float;
use std::collections::HashSet;

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
    if topology.inputs.is_empty() {
        return Err(Error::Config {
            what: "network".to_owned(),
            expected: "at least one input".to_owned(),
            found: "none".to_owned(),
            help: "add one with .input(\"x\", [2])".to_owned(),
        });
    }
    for declared in &topology.inputs {
        input::<F>(topology, &declared.name, declared.spec)?;
    }
    names(topology)?;
    sources(topology)?;
    topology.schedule.validate()?;
    scopes(topology)?;
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
        forward(topology, edge)?;
        timing(topology, edge)?;
        numbers(edge)?;
    }
    Ok(())
}

fn input<F: Float>(topology: &Topology, name: &str, spec: Spec) -> Result<()> {
    let (what, help) = if topology.inputs.len() == 1 && name == INPUT {
        (
            "network input".to_owned(),
            "the batch axis is left out: Sequential::input([2]) takes data of shape [batch, 2]",
        )
    } else {
        (
            format!("network input {name:?}"),
            "the batch axis is left out: .input(\"x\", [2]) takes data of shape [batch, 2]",
        )
    };
    // One index is a sample, a number without an axis of features is not.
    let without_axes = spec.shape.is_empty() && spec.kind != ValueKind::Index;
    if without_axes || spec.elements() == 0 {
        return Err(Error::Config {
            what,
            expected: "a shape per sample with at least one feature".to_owned(),
            found: spec.shape.to_string(),
            help: help.to_owned(),
        });
    }
    let most = Scope::<F>::MOST_NUMBERS;
    if spec.elements() > most {
        return Err(Error::Config {
            what,
            expected: format!("at most {most} numbers for a sample"),
            found: spec.to_string(),
            help: "check each size for a slip".to_owned(),
        });
    }
    Ok(())
}

/// What layers take, and what the network gives, must stand before.
fn sources(topology: &Topology) -> Result<()> {
    for (position, node) in topology.nodes.iter().enumerate() {
        if node.inputs.is_empty() {
            return Err(Error::Config {
                what: format!("the inputs of layer {:?}", node.name),
                expected: "at least one".to_owned(),
                found: "none".to_owned(),
                help: "name what it takes: .layer(name, layer, \"x\")".to_owned(),
            });
        }
        for name in &node.inputs {
            let before = topology
                .slot(name)
                .is_some_and(|slot| slot < topology.inputs.len() + position);
            if !before {
                let later = topology.position(name).is_some();
                let help = if later {
                    let place = if *name == node.name {
                        "is the layer itself"
                    } else {
                        "comes later"
                    };
                    format!(
                        "{name:?} {place}: a value that comes back is an edge, .feedback({name:?}, {:?})",
                        node.name
                    )
                } else {
                    available(topology, position)
                };
                return Err(Error::UnknownName {
                    what: format!("layer {:?}", node.name),
                    kind: "an input",
                    name: name.clone(),
                    help,
                });
            }
        }
    }
    for name in &topology.outputs {
        if topology.position(name).is_none() {
            return Err(Error::UnknownName {
                what: "the output".to_owned(),
                kind: "layer",
                name: name.clone(),
                help: match topology.slot(name) {
                    Some(_) => format!(
                        "{name:?} is an input: hand it on with a layer, .layer(\"seen\", Activation::Linear, {name:?})"
                    ),
                    None => topology.layer_list(),
                },
            });
        }
    }
    Ok(())
}

fn available(topology: &Topology, position: usize) -> String {
    let inputs = topology.inputs.iter().map(|input| &input.name);
    let layers = topology.nodes[..position].iter().map(|node| &node.name);
    let names: Vec<_> = inputs
        .chain(layers)
        .map(|name| format!("{name:?}"))
        .collect();
    format!("before it stand {}", names.join(", "))
}

/// Scopes hold layers, each once, and run at least once.
fn scopes(topology: &Topology) -> Result<()> {
    let mut names = HashSet::new();
    for scope in &topology.scopes {
        let wrong = |expected: &str, found: String| {
            Err(Error::Config {
                what: format!("the scope {:?}", scope.name),
                expected: expected.to_owned(),
                found,
                help: ".scope(\"latent\", [\"z\"], 6) runs the layer \"z\" six times in each iteration".to_owned(),
            })
        };
        if !names.insert(&scope.name) {
            return wrong(
                "a name of its own",
                "a second scope of that name".to_owned(),
            );
        }
        if scope.cycles == 0 || scope.cycles > MOST_ITERATIONS {
            return wrong("from 1 to 1000000 cycles", scope.cycles.to_string());
        }
        if scope.layers.is_empty() {
            return wrong("at least one layer", "none".to_owned());
        }
        let mut seen = HashSet::new();
        for layer in &scope.layers {
            if topology.position(layer).is_none() {
                return Err(Error::UnknownName {
                    what: format!("the scope {:?}", scope.name),
                    kind: "layer",
                    name: layer.clone(),
                    help: topology.layer_list(),
                });
            }
            if !seen.insert(layer) {
                return wrong("each layer once", format!("{layer:?} twice"));
            }
        }
    }
    Ok(())
}

/// Settings of an edge that are numbers.
fn numbers(edge: &Edge) -> Result<()> {
    let wrong = |what: &str, expected: &str, found: f64| {
        Err(Error::Config {
            what: format!("{what} of {}", edge.place()),
            expected: expected.to_owned(),
            found: found.to_string(),
            help: String::new(),
        })
    };
    let not_negative = |x: f64| x >= 0.0 && x.is_finite();
    if !(edge.damping > 0.0 && edge.damping <= 1.0) {
        return wrong("the damping", "a share above 0 and at most 1", edge.damping);
    }
    if !not_negative(edge.noise) {
        return wrong(
            "the noise",
            "a standard deviation of at least 0",
            edge.noise,
        );
    }
    if !(0.0..1.0).contains(&edge.dropout) {
        return wrong("the dropout", "a share from 0 to below 1", edge.dropout);
    }
    for (what, value) in [("the clip", edge.clip), ("the limit", edge.limit)] {
        if let Some(value) = value
            && !(value > 0.0 && value.is_finite())
        {
            return wrong(what, "a number above 0", value);
        }
    }
    match edge.initial {
        Initial::Constant(value) if !value.is_finite() => {
            wrong("the initial value", "a finite number", value)
        }
        Initial::Noise(value) if !not_negative(value) => wrong(
            "the initial noise",
            "a standard deviation of at least 0",
            value,
        ),
        _ => Ok(()),
    }
}

fn names(topology: &Topology) -> Result<()> {
    let mut seen = HashSet::new();
    let inputs = topology.inputs.iter().map(|input| ("input", &input.name));
    let layers = topology.nodes.iter().map(|node| ("layer", &node.name));
    for (what, name) in inputs.chain(layers) {
        let wrong = |problem, help: &str| {
            Err(Error::Name {
                what,
                name: name.clone(),
                problem,
                help: help.to_owned(),
            })
        };
        if name.is_empty() {
            return wrong(
                "has no name",
                "names address layers in feedback edges, files and summaries",
            );
        }
        if (what == "layer" && name == INPUT) || name == "feedback" || name == "edge" {
            return wrong(
                "has a reserved name",
                "\"input\" is the network's input, \"feedback\" and \"edge\" are the paths of edges",
            );
        }
        if name.contains(['/', '*', '?']) || name.contains("->") {
            return wrong(
                "has a name with '/', '*', '?' or '->' in it",
                "these have a meaning in parameter paths",
            );
        }
        if name.contains(char::is_control) {
            return wrong(
                "has a name with a line break, a tab or the like in it",
                "names stand on one line in summaries and files",
            );
        }
        if !seen.insert(name) {
            return wrong("is declared twice", "give each layer a name of its own");
        }
    }
    Ok(())
}

fn ends(topology: &Topology, edge: &Edge) -> Result<()> {
    let find = |name: &str| {
        topology.slot(name).ok_or_else(|| Error::UnknownName {
            what: edge.place(),
            kind: "layer",
            name: name.to_owned(),
            help: topology.layer_list(),
        })
    };
    let inputs = topology.inputs.len();
    let (from, to) = (find(&edge.from)?, find(&edge.to)?);
    let starts_at_input = from < inputs;
    if edge.delay == 0 {
        if to < inputs && starts_at_input {
            let detail = "an input is given from outside: nothing joins it without delay";
            return Err(edge.error("goes to an input", detail, "join the first layer instead"));
        }
        return Ok(());
    }
    if edge.clock == Clock::Step {
        return Ok(());
    }
    if starts_at_input {
        let detail = "the input is the same at every iteration: there is nothing to feed back";
        let help = "a forward connection from the input needs no delay: .forward_edge(from, to)";
        return Err(edge.error("starts at the input", detail, help));
    }
    if from < to {
        let detail = format!(
            "{:?} comes before {:?}, so this is a forward connection",
            edge.from, edge.to
        );
        let help = format!(
            "feedback goes from a later layer to an earlier one: .feedback({:?}, {:?}); forward it is .forward_edge({:?}, {:?})",
            edge.to, edge.from, edge.from, edge.to
        );
        return Err(edge.error("does not go back", detail, help));
    }
    Ok(())
}

fn timing(topology: &Topology, edge: &Edge) -> Result<()> {
    if edge.delay >= MOST_ITERATIONS {
        let detail = format!(
            "its delay is {}, and a schedule makes at most {MOST_ITERATIONS} iterations",
            edge.delay
        );
        return Err(edge.error("can never be reached", detail, "use a shorter delay"));
    }
    let rule = topology.schedule.rule();
    let cycles: usize = topology
        .scopes
        .iter()
        .filter(|scope| scope.layers.contains(&edge.from) && scope.layers.contains(&edge.to))
        .map(|scope| scope.cycles)
        .fold(1, usize::saturating_mul);
    let iterations = topology.schedule.iterations().saturating_mul(cycles);
    let counted = edge.clock == Clock::Iteration && !matches!(rule.inner(), Rule::Converge(_));
    if counted && edge.delay >= iterations && edge.delay > 0 && !edge.carry {
        let detail = format!(
            "its delay is {}, so it first carries a value at iteration {}, and the schedule stops after {iterations}",
            edge.delay,
            edge.delay + 1
        );
        let help = match rule {
            Rule::Sequence(_) => format!(
                "use .schedule(Sequence::with(Unroll::iterations({}))), or .clock(Clock::Step) if it counts steps",
                edge.delay + 1
            ),
            _ => format!(
                "use .schedule(Unroll::iterations({})) or more",
                edge.delay + 1
            ),
        };
        return Err(edge.error("can never be reached", detail, help));
    }
    if edge.carry && (edge.clock == Clock::Step || !rule.is_sequence()) {
        return Err(carries_nothing_on(edge));
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

fn carries_nothing_on(edge: &Edge) -> Error {
    let detail = "only a value that would start anew at each step of a sequence can be carried on";
    let help = "drop .carry(), or run along a sequence with .schedule(Sequence::with(…))";
    edge.error("carries nothing on", detail, help)
}

/// What speaks of earlier ticks has no meaning for an edge from an earlier value to a later layer without delay.
fn forward(topology: &Topology, edge: &Edge) -> Result<()> {
    let is_forward = edge.delay == 0 && topology.slot(&edge.from) < topology.slot(&edge.to);
    let plain = Edge::forward("", "");
    let settings = [
        ("clock", edge.clock != plain.clock),
        ("carry", edge.carry),
        ("initial", edge.initial != plain.initial),
        ("damping", edge.damping != plain.damping),
        ("limit", edge.limit.is_some()),
    ];
    match settings.iter().find(|(_, set)| *set) {
        Some((method, _)) if is_forward => {
            let detail = format!(
                "{:?} comes before {:?}: the value arrives at the tick at which it is computed, and none is kept",
                edge.from, edge.to
            );
            Err(edge.error(
                format!("has .{method}() and no delay"),
                detail,
                format!("drop .{method}(); or let it arrive later along a sequence: .clock(Clock::Step).delay(1)"),
            ))
        }
        _ => Ok(()),
    }
}

impl<F: Float> Wiring<F> {
    /// Checks that a schedule can run this network.
    pub(super) fn check_rule(&self, rule: &Rule) -> Result<()> {
        for edge in &self.topology.edges {
            let slot = |name: &str| self.topology.slot(name).expect("ends were checked");
            let algebraic = edge.delay == 0 && slot(&edge.from) >= slot(&edge.to);
            if algebraic && edge.clock == Clock::Step {
                let detail = "a loop over steps has an order: each step comes after the one before";
                return Err(edge.error("has a delay of 0 steps", detail, "use .delay(1)"));
            }
            let converges = matches!(rule.inner(), Rule::Converge(_));
            if algebraic && !converges {
                let detail = "a loop without delay has no order in which to compute it";
                let help = "use .delay(1) and iterate with .schedule(Unroll::iterations(n)), or .schedule(Converge::to(1e-4)) to find where it comes to rest";
                return Err(edge.error("has a delay of 0", detail, help));
            }
            if edge.carry && !rule.is_sequence() {
                return Err(carries_nothing_on(edge));
            }
            if converges && edge.noise > 0.0 && edge.clock == Clock::Iteration {
                let detail = "a loop that is drawn anew at each evaluation does not come to rest";
                let help = "drop .noise(), start from noise with .initial(Initial::Noise(1.0)), or iterate with Unroll";
                return Err(edge.error("adds noise to a loop that should converge", detail, help));
            }
            if edge.clock == Clock::Step && edge.delay > 0 && !rule.is_sequence() {
                let detail = format!(
                    "its delay counts steps of a sequence, and the schedule {} runs over the same input",
                    rule.kind()
                );
                let help = "use .schedule(Sequence::new()), or drop .clock(Clock::Step)";
                return Err(edge.error("is on the wrong clock", detail, help));
            }
        }
        match rule.inner() {
            Rule::Halt(halt) => self.check_halting(halt),
            Rule::Converge(_) => self.check_statistics(),
            _ => Ok(()),
        }
    }

    /// Checks that no layer of a loop that should come to rest moves with the batch.
    fn check_statistics(&self) -> Result<()> {
        let nodes = self.plan.iterations().map(super::plan::LoopPlan::nodes);
        for node in nodes.into_iter().flatten() {
            let built = &self.nodes[node];
            if built.module.shares_batch_statistics() {
                return Err(Error::Layer {
                    layer: built.path.clone(),
                    kind: self.topology.nodes[node].layer.kind().to_owned(),
                    expected: "a layer whose samples do not see each other, inside a loop that should converge"
                        .to_owned(),
                    found: "one with statistics of the batch, which move while the loop runs"
                        .to_owned(),
                    help: "use RmsNorm, LayerNorm or GroupNorm, or iterate with Unroll and .per_iteration(n)"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Checks that the layer that halts is there and gives one number a sample.
    fn check_halting(&self, halt: &Halt) -> Result<()> {
        let wrong = |expected: &str, found: String, help: &str| {
            Err(Error::Config {
                what: "Halt".to_owned(),
                expected: expected.to_owned(),
                found,
                help: help.to_owned(),
            })
        };
        let Some(body) = &self.plan.body else {
            return wrong(
                "a network with a loop",
                "none".to_owned(),
                "add feedback edges",
            );
        };
        let Some(name) = halt.when().layer() else {
            return Ok(());
        };
        let Some(node) = self.topology.position(name) else {
            return Err(Error::UnknownName {
                what: "Halt".to_owned(),
                kind: "layer",
                name: name.to_owned(),
                help: self.topology.layer_list(),
            });
        };
        let inside = body.nodes().contains(&node) || self.plan.after.contains(&node);
        let one_number = self.nodes[node].output == Spec::float([1]);
        if !inside || !one_number {
            return wrong(
                "a layer in the loop, or behind it, that gives one number a sample",
                format!(
                    "{name:?} gives {}{}",
                    self.nodes[node].output,
                    if inside { "" } else { " before the loop" }
                ),
                "a Dense::new(1) on what the loop refines, whose output is not squashed",
            );
        }
        Ok(())
    }
}

/// Checks that widening layers did not change the shapes that it was computed from.
pub(super) fn concat_shapes<F: Float>(
    topology: &Topology,
    narrow: &BuiltValues<F>,
    wide: &BuiltValues<F>,
) -> Result<()> {
    for edge in topology
        .edges
        .iter()
        .filter(|edge| edge.combine == Combine::Concat)
    {
        let inputs = topology.inputs.len();
        let slot = |name: &str| topology.slot(name).expect("ends were checked");
        let (from, to) = (slot(&edge.from), slot(&edge.to));
        let spec =
            |values: &BuiltValues<F>, slot: usize| values.spec(slot).expect("ends were checked");
        let before = spec(narrow, from);
        let target = match to.checked_sub(inputs) {
            None => topology.inputs[to].spec,
            Some(node) => narrow.nodes[node].inputs[0].1,
        };
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
        if spec(wide, from) != before {
            let detail = format!(
                "{:?} gives {before} without it and {} with it: its own width would depend on itself",
                edge.from,
                spec(wide, from)
            );
            let help =
                "put a layer with a fixed width (such as Dense) inside the loop, or drop .concat()";
            return Err(edge.error("cannot be concatenated", detail, help));
        }
    }
    Ok(())
}
