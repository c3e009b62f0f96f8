//! What a network means, computed in the plainest way: every layer at every tick, one after another.

use fb_nn::Network;
use fb_nn::feedback::topology::{Clock, Combine, Edge, Initial, Projection, Topology};
use fb_tensor::Tensor;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

type Values = HashMap<String, Tensor<f64>>;

/// What each edge carried at the ticks before, newest first.
pub(crate) type Registers = Vec<VecDeque<Tensor<f64>>>;

/// An interpreter of networks of vectors.
pub(crate) struct Naive<'n> {
    network: &'n Network<f64>,
    topology: &'n Topology,
}

impl<'n> Naive<'n> {
    pub(crate) fn new(network: &'n Network<f64>) -> Self {
        let topology = network.topology();
        Self { network, topology }
    }

    pub(crate) fn start(&self) -> Registers {
        vec![VecDeque::new(); self.topology.edges.len()]
    }

    /// All outputs at each of so many iterations.
    pub(crate) fn iterations(
        &self,
        inputs: &[Tensor<f64>],
        registers: &mut Registers,
        iterations: usize,
    ) -> Vec<Vec<Tensor<f64>>> {
        self.first_sweep(inputs, registers);
        let each = (0..iterations).map(|_| self.tick(inputs, registers));
        each.map(|values| self.outputs(&values)).collect()
    }

    /// All outputs `[batch, time, …]` of a sequence with so many iterations at each step.
    pub(crate) fn sequence(
        &self,
        inputs: &[Tensor<f64>],
        registers: &mut Registers,
        iterations: usize,
    ) -> Vec<Tensor<f64>> {
        let at = |time: usize| -> Vec<Tensor<f64>> {
            inputs.iter().map(|x| x.index_axis(1, time)).collect()
        };
        let waiting = self.waiting(registers, Clock::Step);
        if !waiting.is_empty() {
            let values = self.step(&at(0), &mut registers.clone(), iterations);
            self.begin(&waiting, registers, &values);
        }
        let mut steps = Vec::new();
        for time in 0..inputs[0].dim(1) {
            let values = self.step(&at(time), registers, iterations);
            for e in self.edges(|edge| edge.clock == Clock::Step) {
                self.store(e, registers, &values);
            }
            steps.push(self.outputs(&values));
        }
        (0..self.topology.outputs.len())
            .map(|output| {
                let steps: Vec<_> = steps.iter().map(|step| &step[output]).collect();
                Tensor::stack(&steps, 1)
            })
            .collect()
    }

    fn step(&self, inputs: &[Tensor<f64>], registers: &mut Registers, iterations: usize) -> Values {
        for e in self.edges(|edge| edge.clock == Clock::Iteration && !edge.carry) {
            registers[e].clear();
        }
        self.first_sweep(inputs, registers);
        let mut values = Values::new();
        for _ in 0..iterations {
            values = self.tick(inputs, registers);
        }
        values
    }

    /// The edges with a delay that are such.
    fn edges(&self, such: impl Fn(&Edge) -> bool) -> Vec<usize> {
        let all = self.topology.edges.iter().enumerate();
        all.filter(|(_, edge)| edge.delay > 0 && such(edge))
            .map(|(e, _)| e)
            .collect()
    }

    fn outputs(&self, values: &Values) -> Vec<Tensor<f64>> {
        let names = self.topology.outputs.iter();
        names.map(|name| values[name].clone()).collect()
    }

    /// The edges that wait for a first sweep.
    fn waiting(&self, registers: &Registers, clock: Clock) -> Vec<usize> {
        let mut all = self.edges(|edge| edge.initial == Initial::FirstSweep && edge.clock == clock);
        all.retain(|&e| registers[e].is_empty());
        all
    }

    fn begin(&self, waiting: &[usize], registers: &mut Registers, values: &Values) {
        for &e in waiting {
            let edge = &self.topology.edges[e];
            registers[e] = vec![values[&edge.from].clone(); edge.delay].into();
        }
    }

    fn first_sweep(&self, inputs: &[Tensor<f64>], registers: &mut Registers) {
        let waiting = self.waiting(registers, Clock::Iteration);
        if !waiting.is_empty() {
            let values = self.tick(inputs, &mut registers.clone());
            self.begin(&waiting, registers, &values);
        }
    }

    /// One iteration.
    fn tick(&self, inputs: &[Tensor<f64>], registers: &mut Registers) -> Values {
        let mut values = Values::new();
        for (input, x) in self.topology.inputs.iter().zip(inputs) {
            values.insert(input.name.clone(), x.clone());
        }
        for input in &self.topology.inputs {
            let mut x = values[&input.name].clone();
            for concat in [false, true] {
                x = self.join_all(&input.name, x, concat, &values, registers);
            }
            values.insert(input.name.clone(), x);
        }
        self.sweep(0..self.topology.nodes.len(), None, &mut values, registers);
        values
    }

    /// These layers, then the edges between them tick.
    fn sweep(
        &self,
        nodes: Range<usize>,
        scope: Option<usize>,
        values: &mut Values,
        registers: &mut Registers,
    ) {
        let mut node = nodes.start;
        while node < nodes.end {
            let begins = |inner: &usize| {
                self.members(*inner).start == node && self.parent(&self.members(*inner)) == scope
            };
            let scopes = 0..self.topology.scopes.len();
            if let Some(inner) = scopes.filter(|s| Some(*s) != scope).find(begins) {
                for _ in 0..self.topology.scopes[inner].cycles {
                    self.sweep(self.members(inner), Some(inner), values, registers);
                }
                node = self.members(inner).end;
            } else {
                let value = self.node(node, values, registers);
                values.insert(self.topology.nodes[node].name.clone(), value);
                node += 1;
            }
        }
        for e in self.edges(|edge| edge.clock == Clock::Iteration) {
            if self.scope_of(e) == scope {
                self.store(e, registers, values);
            }
        }
    }

    /// The positions of a scope's layers, which stand one after another.
    fn members(&self, scope: usize) -> Range<usize> {
        let layers = &self.topology.scopes[scope].layers;
        let positions = layers.iter().map(|name| self.topology.position(name));
        let positions: Vec<usize> = positions.map(Option::unwrap).collect();
        *positions.iter().min().unwrap()..positions.iter().max().unwrap() + 1
    }

    /// The smallest scope that holds more than these layers.
    fn parent(&self, range: &Range<usize>) -> Option<usize> {
        let holds = |scope: &usize| {
            let other = self.members(*scope);
            other.start <= range.start && range.end <= other.end && other != *range
        };
        let scopes = (0..self.topology.scopes.len()).filter(holds);
        scopes.min_by_key(|scope| self.members(*scope).len())
    }

    /// The smallest scope that holds both ends of an edge.
    fn scope_of(&self, e: usize) -> Option<usize> {
        let edge = &self.topology.edges[e];
        let position = |name| self.topology.position(name);
        let (from, to) = (position(&edge.from)?, position(&edge.to)?);
        let scopes = (0..self.topology.scopes.len()).filter(|&s| {
            let members = self.members(s);
            members.contains(&from) && members.contains(&to)
        });
        scopes.min_by_key(|scope| self.members(*scope).len())
    }

    fn store(&self, e: usize, registers: &mut Registers, values: &Values) {
        let edge = &self.topology.edges[e];
        let value = &values[&edge.from];
        let before = registers[e].front().cloned();
        let before = before.unwrap_or_else(|| self.initial(edge, value));
        let value = if edge.damping == 1.0 {
            value.clone()
        } else {
            &before * (1.0 - edge.damping) + value * edge.damping
        };
        registers[e].truncate(edge.delay - 1);
        registers[e].push_front(value);
    }

    fn initial(&self, edge: &Edge, like: &Tensor<f64>) -> Tensor<f64> {
        match edge.initial {
            Initial::Zeros | Initial::FirstSweep => Tensor::zeros_of(*like.shape()),
            Initial::Constant(value) => Tensor::full_of(*like.shape(), value),
            Initial::Learned => self
                .param(&format!("{}/initial", edge.path()))
                .broadcast_to(*like.shape()),
            other => panic!("{other:?}"),
        }
    }

    fn param(&self, name: &str) -> Tensor<f64> {
        let param = self.network.params().by_name(name);
        param.unwrap_or_else(|| panic!("{name}")).value.clone()
    }

    fn affine(&self, path: &str, x: &Tensor<f64>) -> Tensor<f64> {
        x.matmul(&self.param(&format!("{path}/weight"))) + &self.param(&format!("{path}/bias"))
    }

    /// What the edges bring to a value: those that widen it, or the others.
    fn join_all(
        &self,
        to: &str,
        value: Tensor<f64>,
        concat: bool,
        values: &Values,
        registers: &Registers,
    ) -> Tensor<f64> {
        let mut u = value;
        for (e, edge) in self.topology.edges.iter().enumerate() {
            if edge.to == to && (edge.combine == Combine::Concat) == concat {
                let r = match edge.delay {
                    0 => values[&edge.from].clone(),
                    delay => registers[e].get(delay - 1).cloned().unwrap_or_else(|| {
                        let spec = self.width(&edge.from);
                        self.initial(edge, &Tensor::zeros_of([u.dim(0), spec]))
                    }),
                };
                u = self.join(edge, &u, &r);
            }
        }
        u
    }

    fn width(&self, name: &str) -> usize {
        let mut inputs = self.topology.inputs.iter();
        if let Some(input) = inputs.find(|input| input.name == name) {
            let widens = |edge: &&Edge| edge.to == name && edge.combine == Combine::Concat;
            let wider = self.topology.edges.iter().filter(widens);
            return input.spec.shape[0] + wider.map(|edge| self.width(&edge.from)).sum::<usize>();
        }
        let node = self.topology.position(name).unwrap();
        self.network.describe().nodes[node].output.shape[0]
    }

    fn join(&self, edge: &Edge, u: &Tensor<f64>, r: &Tensor<f64>) -> Tensor<f64> {
        let path = edge.path();
        let map = |weight: &str| match edge.projection {
            Projection::Identity => r.clone(),
            _ => r.matmul(&self.param(&format!("{path}/{weight}"))),
        };
        match edge.combine {
            Combine::Add => u + &map("weight"),
            Combine::Concat => Tensor::concat(&[u, r], 1),
            Combine::Gate => {
                let both = Tensor::concat(&[u, r], 1);
                let sum = both.matmul(&self.param(&format!("{path}/gate_weight")))
                    + &self.param(&format!("{path}/gate_bias"));
                u + &(sum.sigmoid() * &map("weight"))
            }
            Combine::Multiply => u * &(map("weight") + 1.0),
            Combine::Film => u * &(map("weight") + 1.0) + &map("shift/weight"),
            other => panic!("{other:?}"),
        }
    }

    fn node(&self, node: usize, values: &Values, registers: &Registers) -> Tensor<f64> {
        let node = &self.topology.nodes[node];
        let joined =
            |x: Tensor<f64>, concat| self.join_all(&node.name, x, concat, values, registers);
        let first = joined(values[&node.inputs[0]].clone(), true);
        let config = node.layer.config().unwrap();
        if node.layer.kind() == "Dense" {
            let sum = joined(self.affine(&node.name, &first), false);
            return activate(&config["activation"], sum);
        }
        let first = joined(first, false);
        let rest = || node.inputs[1..].iter().map(|name| values[name].clone());
        match node.layer.kind() {
            "Activation" => activate(&config, first),
            "Add" => rest().fold(first, |sum, x| sum + x),
            "Multiply" => rest().fold(first, |product, x| product * x),
            "Concat" => {
                let all: Vec<_> = std::iter::once(first).chain(rest()).collect();
                Tensor::concat(&all.iter().collect::<Vec<_>>(), 1)
            }
            "GatedMix" => {
                let second = rest().next().unwrap();
                let both = Tensor::concat(&[&first, &second], 1);
                let gate = self.affine(&node.name, &both).sigmoid();
                &gate * &first + (gate * -1.0 + 1.0) * second
            }
            "Film" => {
                let both = self.affine(&node.name, &rest().next().unwrap());
                let features = first.dim(1);
                let scale = both.slice(1, 0..features);
                let shift = both.slice(1, features..2 * features);
                &first * &(scale + 1.0) + shift
            }
            other => panic!("{other}"),
        }
    }
}

fn activate(config: &serde_json::Value, x: Tensor<f64>) -> Tensor<f64> {
    match config.as_str() {
        Some("Tanh") => x.tanh(),
        Some("Sigmoid") => x.sigmoid(),
        None | Some("Linear") => x,
        other => panic!("{other:?}"),
    }
}
