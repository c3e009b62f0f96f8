//! What runs when: found once, from the topology alone.
//!
//! Values have *slots*: the inputs of the network come first, then its layers in forward order. A loop is the smallest
//! set of layers that holds the ends of its edges and all layers on the way between them; what stands before it runs once,
//! what stands behind it once for each answer that is wanted.

use super::BuiltNode;
use super::edge::BuiltEdge;
use crate::error::{Error, Result};
use crate::feedback::topology::{Clock, Combine, Topology};
use fb_tensor::Float;
use std::sync::Arc;

/// A network cut into what runs before, in and after its outermost loop, and the edges sorted by where they join.
#[derive(Debug)]
pub(super) struct Plan {
    /// Layers that run once.
    pub(super) before: Vec<usize>,
    /// The outermost loop: over the steps of a sequence if an edge has that clock or carries its value from step to step,
    /// otherwise over iterations.
    pub(super) body: Option<Arc<LoopPlan>>,
    /// Layers that run once for each answer that is wanted.
    pub(super) after: Vec<usize>,
    /// The edges that join each slot.
    pub(super) joining: Vec<Joining>,
    /// Each layer takes the value of the one before it, and nothing joins: no slots are needed.
    pub(super) chain: bool,
}

/// A loop.
#[derive(Debug)]
pub(super) struct LoopPlan {
    pub(super) clock: Clock,
    /// What runs at each tick, in order.
    pub(super) items: Vec<Item>,
    /// The edges that tick here.
    pub(super) edges: Vec<usize>,
    /// The slots that are read inside and computed outside.
    pub(super) entry: Vec<usize>,
    /// Layers whose `project` half depends on nothing that changes here, computed once for all ticks.
    pub(super) hoisted: Vec<usize>,
    /// The positions in `entry` of what is joined here, and so has another value after a tick.
    pub(super) rejoined: Vec<usize>,
    /// The slots that are computed inside and read outside.
    pub(super) reads: Vec<usize>,
}

/// One thing of a tick.
#[derive(Debug)]
pub(super) enum Item {
    /// The value of an input, joined by what edges carry to it.
    Join(usize),
    /// A layer.
    Node(usize),
    /// A loop inside with a number of cycles of its own.
    Cycles(LoopPlan, usize),
    /// The loop over iterations, at each step of a sequence.
    Iterate(Arc<LoopPlan>),
}

/// The edges that join one slot: those that widen its input, and those that join its sum.
#[derive(Debug, Default)]
pub(super) struct Joining {
    pub(super) concat: Vec<usize>,
    pub(super) sum: Vec<usize>,
}

impl Joining {
    pub(super) fn is_empty(&self) -> bool {
        self.concat.is_empty() && self.sum.is_empty()
    }
}

impl Plan {
    pub(super) fn new<F: Float>(
        topology: &Topology,
        nodes: &[BuiltNode<F>],
        edges: &[BuiltEdge],
        outputs: &[usize],
    ) -> Result<Self> {
        let planner = Planner::new(topology, nodes, edges);
        let joining = planner.joining();
        let all: Vec<usize> = (0..nodes.len()).collect();
        let on = |clock: Clock| -> Vec<usize> {
            let ticking = (0..edges.len()).filter(|&e| edges[e].register.is_some());
            ticking
                .filter(|&e| topology.edges[e].clock == clock)
                .collect()
        };
        let (steps, iterations) = (on(Clock::Step), on(Clock::Iteration));
        planner.check_loops(&iterations)?;
        let carried = iterations.iter().any(|&e| topology.edges[e].carry);
        let stage = if steps.is_empty() && !carried {
            let stage = planner.stage(&all, &iterations, &[]);
            let body = planner.iteration_loop(&stage, &iterations, outputs)?;
            (stage, body.map(Arc::new))
        } else {
            let stage = planner.stage(&all, &steps, &iterations);
            let body = planner.step_loop(&stage, &steps, &iterations, outputs)?;
            (stage, Some(Arc::new(body)))
        };
        let (Stage { before, after, .. }, body) = stage;
        let chain = body.is_none()
            && joining.iter().all(Joining::is_empty)
            && matches!(outputs, [only] if *only == topology.inputs.len() + nodes.len() - 1)
            && topology.inputs.len() == 1
            && nodes
                .iter()
                .enumerate()
                .all(|(n, node)| matches!(node.inputs.as_slice(), [(slot, _)] if *slot == n));
        Ok(Self {
            before,
            body,
            after,
            joining,
            chain,
        })
    }

    /// Whether a loop runs over iterations.
    pub(super) fn has_iterations(&self) -> bool {
        self.iterations().is_some()
    }

    /// The loop over iterations, outermost or at each step.
    pub(super) fn iterations(&self) -> Option<&LoopPlan> {
        let body = self.body.as_deref()?;
        if body.clock == Clock::Iteration {
            return Some(body);
        }
        body.items.iter().find_map(|item| match item {
            Item::Iterate(inner) => Some(&**inner),
            _ => None,
        })
    }
}

impl LoopPlan {
    /// The layers that run here, those of loops inside among them.
    pub(super) fn nodes(&self) -> Vec<usize> {
        let mut nodes = Vec::new();
        for item in &self.items {
            match item {
                Item::Join(_) => {}
                Item::Node(node) => nodes.push(*node),
                Item::Cycles(inner, _) => nodes.extend(inner.nodes()),
                Item::Iterate(inner) => nodes.extend(inner.nodes()),
            }
        }
        nodes
    }

    /// The edges of this clock: those that tick here and in scopes inside.
    pub(super) fn all_edges(&self) -> Vec<usize> {
        let mut edges = self.edges.clone();
        for item in &self.items {
            match item {
                Item::Join(_) | Item::Node(_) | Item::Iterate(_) => {}
                Item::Cycles(inner, _) => edges.extend(inner.all_edges()),
            }
        }
        edges
    }

    /// The product of all cycle counts on the way to a layer; 1 outside of scopes.
    pub(super) fn cycles_of(&self, node: usize) -> Option<usize> {
        self.items.iter().find_map(|item| match item {
            Item::Join(_) => None,
            Item::Node(n) => (*n == node).then_some(1),
            Item::Cycles(inner, cycles) => Some(cycles * inner.cycles_of(node)?),
            Item::Iterate(inner) => inner.cycles_of(node),
        })
    }
}

/// The inputs that are joined by these, or in a loop over iterations among them.
fn joined(items: &[Item]) -> Vec<usize> {
    let slots = items.iter().flat_map(|item| match item {
        Item::Join(slot) => vec![*slot],
        Item::Iterate(inner) => joined(&inner.items),
        Item::Node(_) | Item::Cycles(..) => Vec::new(),
    });
    slots.collect()
}

/// A part of the forward order, cut at a loop.
struct Stage {
    before: Vec<usize>,
    body: Vec<usize>,
    after: Vec<usize>,
}

struct Planner<'a, F: Float> {
    topology: &'a Topology,
    nodes: &'a [BuiltNode<F>],
    edges: &'a [BuiltEdge],
    inputs: usize,
    /// For each layer, the slots that its value at a tick depends on at the same tick.
    depends: Vec<Vec<usize>>,
}

impl<'a, F: Float> Planner<'a, F> {
    fn new(topology: &'a Topology, nodes: &'a [BuiltNode<F>], edges: &'a [BuiltEdge]) -> Self {
        let inputs = topology.inputs.len();
        let depends = (0..nodes.len())
            .map(|node| {
                let taken = nodes[node].inputs.iter().map(|&(slot, _)| slot);
                let forward = edges
                    .iter()
                    .filter(|e| e.register.is_none() && e.to == inputs + node)
                    .map(|e| e.from);
                taken.chain(forward).collect()
            })
            .collect();
        Self {
            topology,
            nodes,
            edges,
            inputs,
            depends,
        }
    }

    fn joining(&self) -> Vec<Joining> {
        let slots = self.inputs + self.nodes.len();
        let mut joining: Vec<Joining> = (0..slots).map(|_| Joining::default()).collect();
        for (position, edge) in self.edges.iter().enumerate() {
            let at = &mut joining[edge.to];
            if edge.combine == Combine::Concat {
                at.concat.push(position);
            } else {
                at.sum.push(position);
            }
        }
        joining
    }

    /// The slots that are reached from `start` forward, `start` among them.
    fn descendants(&self, start: &[usize]) -> Vec<bool> {
        let mut reached = vec![false; self.inputs + self.nodes.len()];
        start.iter().for_each(|&slot| reached[slot] = true);
        for node in 0..self.nodes.len() {
            if self.depends[node].iter().any(|&slot| reached[slot]) {
                reached[self.inputs + node] = true;
            }
        }
        reached
    }

    /// The slots that lead to `end`, `end` among them.
    fn ancestors(&self, end: &[usize]) -> Vec<bool> {
        let mut leads = vec![false; self.inputs + self.nodes.len()];
        end.iter().for_each(|&slot| leads[slot] = true);
        for node in (0..self.nodes.len()).rev() {
            if leads[self.inputs + node] {
                self.depends[node]
                    .iter()
                    .for_each(|&slot| leads[slot] = true);
            }
        }
        leads
    }

    /// The layers of the loop that these edges close.
    fn members(&self, nodes: &[usize], edges: &[usize]) -> Vec<usize> {
        let ends: Vec<usize> = edges
            .iter()
            .flat_map(|&e| [self.edges[e].from, self.edges[e].to])
            .collect();
        let (below, above) = (self.descendants(&ends), self.ancestors(&ends));
        let within = |node: &usize| below[self.inputs + node] && above[self.inputs + node];
        nodes.iter().copied().filter(within).collect()
    }

    /// The layers before, in and after the loop that these edges close around the one that `inner` edges close.
    fn stage(&self, nodes: &[usize], edges: &[usize], inner: &[usize]) -> Stage {
        let edges: Vec<usize> = edges.iter().chain(inner).copied().collect();
        let body = self.members(nodes, &edges);
        let mut start: Vec<usize> = body.iter().map(|node| self.inputs + node).collect();
        start.extend(edges.iter().map(|&e| self.edges[e].to));
        let changing = self.descendants(&start);
        let rest = nodes.iter().copied().filter(|node| !body.contains(node));
        let (after, before) = rest.partition(|node| changing[self.inputs + node]);
        Stage {
            before,
            body,
            after,
        }
    }

    /// The loop over iterations of a stage, if there is one.
    fn iteration_loop(
        &self,
        stage: &Stage,
        edges: &[usize],
        outputs: &[usize],
    ) -> Result<Option<LoopPlan>> {
        if edges.is_empty() {
            self.check_scopes(&[])?;
            return Ok(None);
        }
        self.check_scopes(&stage.body)?;
        let scopes: Vec<usize> = (0..self.topology.scopes.len()).collect();
        let plan = self.scope(
            &stage.body,
            edges,
            &scopes,
            Clock::Iteration,
            &stage.after,
            outputs,
        )?;
        Ok(Some(plan))
    }

    /// The loop over steps, with the loop over iterations inside if there is one.
    fn step_loop(
        &self,
        stage: &Stage,
        steps: &[usize],
        iterations: &[usize],
        outputs: &[usize],
    ) -> Result<LoopPlan> {
        // Where edges of both clocks join an input, the inner loop joins them all.
        let inside = self.joins(iterations);
        let outside = self
            .joins(steps)
            .into_iter()
            .filter(|slot| !inside.contains(slot));
        let mut items: Vec<Item> = outside.map(Item::Join).collect();
        if iterations.is_empty() {
            self.check_scopes(&[])?;
            items.extend(stage.body.iter().map(|&node| Item::Node(node)));
        } else {
            let inner = self.stage(&stage.body, iterations, &[]);
            // What reads the inner loop: the rest of the step, what comes after all steps, and edges over steps.
            let mut readers = inner.after.clone();
            readers.extend(&stage.after);
            let mut read: Vec<usize> = outputs.to_vec();
            read.extend(steps.iter().map(|&e| self.edges[e].from));
            let body = self.iteration_loop(
                &Stage {
                    after: readers,
                    ..inner
                },
                iterations,
                &read,
            )?;
            let inner = self.stage(&stage.body, iterations, &[]);
            items.extend(inner.before.into_iter().map(Item::Node));
            items.extend(body.map(|body| Item::Iterate(Arc::new(body))));
            items.extend(inner.after.into_iter().map(Item::Node));
        }
        Ok(self.finish(
            Clock::Step,
            items,
            steps.to_vec(),
            &stage.body,
            &stage.after,
            outputs,
        ))
    }

    /// A loop over `nodes`; `scopes` are those that may stand inside.
    fn scope(
        &self,
        nodes: &[usize],
        edges: &[usize],
        scopes: &[usize],
        clock: Clock,
        readers: &[usize],
        outputs: &[usize],
    ) -> Result<LoopPlan> {
        let members = |scope: usize| -> Vec<usize> {
            let layers = &self.topology.scopes[scope].layers;
            let mut found: Vec<usize> = layers
                .iter()
                .filter_map(|name| self.topology.position(name))
                .collect();
            found.sort_unstable();
            found
        };
        // The largest scopes first: those inside them belong to them.
        let mut inner: Vec<(usize, Vec<usize>)> = scopes
            .iter()
            .map(|&scope| (scope, members(scope)))
            .filter(|(_, members)| members.iter().all(|node| nodes.contains(node)))
            .collect();
        inner.sort_by_key(|(scope, members)| (std::cmp::Reverse(members.len()), *scope));
        let mut outermost: Vec<(usize, Vec<usize>)> = Vec::new();
        for (scope, members) in &inner {
            let shared = |other: &Vec<usize>| members.iter().any(|node| other.contains(node));
            match outermost.iter().find(|(_, other)| shared(other)) {
                None => outermost.push((*scope, members.clone())),
                Some((outer, other)) if !members.iter().all(|node| other.contains(node)) => {
                    let problem = format!(
                        "shares layers with the scope {:?}, and neither holds the other",
                        self.topology.scopes[*outer].name
                    );
                    return Err(self.scope_error(
                        *scope,
                        &problem,
                        "let one hold the other, or keep them apart",
                    ));
                }
                Some(_) => {}
            }
        }
        let within = |e: usize, members: &[usize]| {
            let inside = |slot: usize| {
                slot.checked_sub(self.inputs)
                    .is_some_and(|n| members.contains(&n))
            };
            inside(self.edges[e].from) && inside(self.edges[e].to)
        };
        let own: Vec<usize> = edges
            .iter()
            .copied()
            .filter(|&e| !outermost.iter().any(|(_, members)| within(e, members)))
            .collect();
        let mut items: Vec<Item> = self.joins(&own).into_iter().map(Item::Join).collect();
        let mut rest = nodes.iter().copied().peekable();
        while let Some(node) = rest.next() {
            let Some((scope, members)) = outermost.iter().find(|(_, m)| m[0] == node) else {
                items.push(Item::Node(node));
                continue;
            };
            for &member in &members[1..] {
                if rest.next() != Some(member) {
                    let problem =
                        "is not one piece: a layer that is not in it runs between its layers";
                    return Err(self.scope_error(
                        *scope,
                        problem,
                        "declare its layers one after another, or take that layer in",
                    ));
                }
            }
            let inside: Vec<usize> = edges
                .iter()
                .copied()
                .filter(|&e| within(e, members))
                .collect();
            if inside.is_empty() {
                let problem = "has no feedback edge inside: each of its cycles would do the same";
                return Err(self.scope_error(*scope, problem, "add one, or drop the scope"));
            }
            let others: Vec<usize> = inner
                .iter()
                .map(|(s, _)| *s)
                .filter(|s| s != scope)
                .collect();
            let plan = self.scope(members, &inside, &others, clock, &[], &[])?;
            items.push(Item::Cycles(plan, self.topology.scopes[*scope].cycles));
        }
        Ok(self.finish(clock, items, own, nodes, readers, outputs))
    }

    /// The inputs that these edges join.
    fn joins(&self, edges: &[usize]) -> Vec<usize> {
        let mut slots: Vec<usize> = edges
            .iter()
            .map(|&e| self.edges[e].to)
            .filter(|&slot| slot < self.inputs)
            .collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    fn finish(
        &self,
        clock: Clock,
        items: Vec<Item>,
        edges: Vec<usize>,
        body: &[usize],
        readers: &[usize],
        outputs: &[usize],
    ) -> LoopPlan {
        let joined = joined(&items);
        let inside = |slot: usize| {
            joined.contains(&slot)
                || slot
                    .checked_sub(self.inputs)
                    .is_some_and(|node| body.contains(&node))
        };
        let mut entry: Vec<usize> = body
            .iter()
            .flat_map(|&node| self.depends[node].iter().copied())
            .filter(|&slot| !inside(slot))
            .collect();
        // A joined input is read before it is joined; a source outside is read when the edge ticks.
        entry.extend(&joined);
        entry.extend(
            edges
                .iter()
                .map(|&e| self.edges[e].from)
                .filter(|&slot| !inside(slot)),
        );
        entry.sort_unstable();
        entry.dedup();
        let mut reads: Vec<usize> = readers
            .iter()
            .flat_map(|&node| self.depends[node].iter().copied())
            .chain(outputs.iter().copied())
            .filter(|&slot| inside(slot))
            .collect();
        reads.sort_unstable();
        reads.dedup();
        let rejoined = joined
            .iter()
            .filter_map(|slot| entry.binary_search(slot).ok());
        let rejoined = rejoined.collect();
        let hoisted = body
            .iter()
            .copied()
            .filter(|&node| self.is_hoisted(node, &inside))
            .collect();
        LoopPlan {
            clock,
            items,
            edges,
            entry,
            hoisted,
            rejoined,
            reads,
        }
    }

    /// Whether what a layer projects is the same at each tick, and something joins its sum that is not.
    fn is_hoisted(&self, node: usize, inside: &dyn Fn(usize) -> bool) -> bool {
        let built = &self.nodes[node];
        let widened = self
            .edges
            .iter()
            .any(|e| e.to == self.inputs + node && e.combine == Combine::Concat);
        built.sum.is_some()
            && !widened
            && matches!(built.inputs.as_slice(), [(slot, _)] if !inside(*slot))
    }

    fn scope_error(&self, scope: usize, problem: &str, help: &str) -> Error {
        Error::Config {
            what: format!("the scope {:?}", self.topology.scopes[scope].name),
            expected: "layers that run one after another inside the loop".to_owned(),
            found: format!("it {problem}"),
            help: help.to_owned(),
        }
    }

    /// Checks that scopes stand inside the loop.
    fn check_scopes(&self, body: &[usize]) -> Result<()> {
        for (position, scope) in self.topology.scopes.iter().enumerate() {
            for name in &scope.layers {
                let node = self.topology.position(name);
                if node.is_none_or(|node| !body.contains(&node)) {
                    let problem = format!("holds {name:?}, which is not in a loop over iterations");
                    return Err(self.scope_error(
                        position,
                        &problem,
                        "add feedback edges that make it one",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks that each edge over iterations closes a loop: its source must depend on its destination, perhaps by way of
    /// other edges.
    fn check_loops(&self, edges: &[usize]) -> Result<()> {
        for &e in edges {
            let mut reached = vec![self.edges[e].to];
            loop {
                let below = self.descendants(&reached);
                let more: Vec<usize> = edges
                    .iter()
                    .filter(|&&other| below[self.edges[other].from])
                    .map(|&other| self.edges[other].to)
                    .filter(|slot| !below[*slot])
                    .collect();
                if below[self.edges[e].from] {
                    break;
                }
                if more.is_empty() {
                    let edge = &self.topology.edges[e];
                    let detail = format!(
                        "{:?} does not depend on {:?}, so it gives the same at every iteration",
                        edge.from, edge.to
                    );
                    let help = format!(
                        "connect them without delay: .forward_edge({:?}, {:?}), or as an input of the layer",
                        edge.from, edge.to
                    );
                    return Err(edge.error("closes no loop", detail, help));
                }
                reached.extend(more);
            }
        }
        Ok(())
    }
}
