//! The parts of a block, each with its norm and its way around.

use super::options::{BlockNorm, Options, Placement};
use crate::error::Result;
use crate::layers::attention::{AttentionModule, operands};
use crate::layers::dropout::DropoutModule;
use crate::layers::feed_forward::FeedForwardModule;
use crate::module::{Context, Memory, Module, Scope, SimpleModule, StreamModule, Streaming, Value};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};

/// A block: its parts in order.
#[derive(Debug)]
pub(super) struct BlockModule<F: Float> {
    parts: Vec<Part<F>>,
    placement: Placement,
    dropout: DropoutModule,
    /// Whether the last input but a mask is a context.
    cross: bool,
}

#[derive(Debug)]
struct Part<F: Float> {
    name: &'static str,
    norm: BlockNorm,
    kind: Kind<F>,
}

#[derive(Debug)]
enum Kind<F: Float> {
    Attention(Box<AttentionModule<F>>),
    Cross(Box<AttentionModule<F>>),
    FeedForward(FeedForwardModule),
}

/// What parts are given besides `x`.
struct Beside<'a, F: Float> {
    context: Option<&'a Var<F>>,
    /// Of the context if there is one, else of `x`.
    mask: Option<&'a Tensor<bool>>,
}

impl<F: Float> BlockModule<F> {
    /// Self-attention, attention to the context if there is one, and the position-wise part.
    pub(super) fn build(
        options: &Options,
        scope: &mut Scope<F>,
        kind: &str,
        x: Shape,
        context: Option<Shape>,
    ) -> Result<Self> {
        options.check(scope, kind)?;
        let width = x[1];
        let mut parts = Vec::with_capacity(3);
        let mut part = |name: &'static str, norm: &'static str, build: Build<'_, F>| {
            let norm = scope.inside(norm, |scope| options.norm(scope, width))?;
            let kind = scope.inside(name, build)?;
            parts.push(Part { name, norm, kind });
            Ok::<_, crate::Error>(())
        };
        part("attention", "attention_norm", &|scope| {
            let module = options.attention().module(scope, kind, x, None)?;
            Ok(Kind::Attention(Box::new(module)))
        })?;
        if context.is_some() {
            part("cross_attention", "cross_attention_norm", &|scope| {
                let module = options.cross_attention().module(scope, kind, x, context)?;
                Ok(Kind::Cross(Box::new(module)))
            })?;
        }
        part("feed_forward", "feed_forward_norm", &|scope| {
            let module = options.feed_forward(width).module(scope, kind, x)?;
            Ok(Kind::FeedForward(module))
        })?;
        Ok(Self {
            parts,
            placement: options.placement,
            dropout: DropoutModule {
                rate: options.dropout,
            },
            cross: context.is_some(),
        })
    }

    /// Runs the parts; `memories` holds one for each, or none on whole sequences.
    fn run(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        mut memories: Option<&mut [Memory<F>]>,
    ) -> Result<Var<F>> {
        let (x, context, mask) = operands(cx, inputs)?;
        let beside = Beside { context, mask };
        let mut x = x.clone();
        let mut y = x.clone();
        if self.placement == Placement::Pre
            && let Some(first) = self.parts.first()
        {
            self.check_rank(cx, &x, first)?;
            y = first.norm.apply(cx, &x);
        }
        for (position, part) in self.parts.iter().enumerate() {
            let memory = memories.as_mut().map(|memories| &mut memories[position]);
            let added = cx.inside(part.name, |cx| {
                let result = self.part(cx, part, &y, &beside, memory)?;
                cx.inside("added", |cx| self.dropout.forward(cx, &result))
            })?;
            let norm = match self.placement {
                Placement::Post => Some(&part.norm),
                Placement::Pre => self.parts.get(position + 1).map(|next| &next.norm),
            };
            match (norm, self.placement) {
                (Some(norm), Placement::Pre) => (x, y) = norm.add(cx, &added, &x),
                (Some(norm), Placement::Post) => {
                    x = norm.add(cx, &added, &x).1;
                    y = x.clone();
                }
                (None, _) => x = &x + &added,
            }
        }
        Ok(x)
    }

    /// The shape is checked by the parts, but the norm comes before them.
    fn check_rank(&self, cx: &mut Context<'_, F>, x: &Var<F>, first: &Part<F>) -> Result<()> {
        match &first.kind {
            Kind::Attention(module) => cx.inside(first.name, |cx| module.check_input(cx, x)),
            _ => Ok(()),
        }
    }

    fn part(
        &self,
        cx: &mut Context<'_, F>,
        part: &Part<F>,
        x: &Var<F>,
        beside: &Beside<'_, F>,
        memory: Option<&mut Memory<F>>,
    ) -> Result<Var<F>> {
        let (module, context, mask) = match &part.kind {
            Kind::FeedForward(module) => return module.forward(cx, x),
            Kind::Attention(module) => {
                let mask = if self.cross { None } else { beside.mask };
                (module, None, mask)
            }
            Kind::Cross(module) => (module, beside.context, beside.mask),
        };
        let Some(memory) = memory else {
            return module.attend(cx, x, context, mask);
        };
        let before = std::mem::take(memory);
        let (y, after) = module.attend_from(cx, x, context, mask, before)?;
        *memory = after;
        Ok(y)
    }
}

type Build<'a, F> = &'a dyn Fn(&mut Scope<F>) -> Result<Kind<F>>;

impl<F: Float> Module<F> for BlockModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        Ok(vec![Value::Float(self.run(cx, inputs, None)?)])
    }

    fn streaming(&self) -> Streaming<'_, F> {
        let streams = self.parts.iter().all(|part| match &part.kind {
            Kind::Attention(module) | Kind::Cross(module) => module.is_streamable(),
            Kind::FeedForward(_) => true,
        });
        if streams {
            Streaming::Stateful(self)
        } else {
            Streaming::Whole
        }
    }
}

impl<F: Float> StreamModule<F> for BlockModule<F> {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let mut memories = memory.parts(cx, self.parts.len())?;
        let y = self.run(cx, inputs, Some(&mut memories))?;
        Ok((Value::Float(y), Memory::Parts(memories)))
    }
}
