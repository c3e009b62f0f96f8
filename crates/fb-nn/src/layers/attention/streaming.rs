//! Attention on a sequence that comes piece by piece.

use super::AttentionModule;
use super::module::operands;
use crate::error::Result;
use crate::module::{Context, Memory, StreamModule, Value};
use fb_autograd::Var;
use fb_tensor::{Float, KvCache, Tensor};

impl<F: Float> AttentionModule<F> {
    /// [`AttentionModule::attend`] for the next piece of `x`.
    pub(in crate::layers) fn attend_from(
        &self,
        cx: &mut Context<'_, F>,
        x: &Var<F>,
        context: Option<&Var<F>>,
        mask: Option<&Tensor<bool>>,
        memory: Memory<F>,
    ) -> Result<(Var<F>, Memory<F>)> {
        self.check(cx, x, context)?;
        let batch = x.shape()[0];
        let head = cx.params().get(self.key.weight).value.dim(1) / self.shared;
        let mut cache = match memory {
            Memory::KeysValues(cache) => cache,
            Memory::Empty => Box::new(KvCache::new(batch, self.shared, head, head)),
            other => return Err(other.misfit(cx, "keys and values")),
        };
        let extents = |t: Tensor<F>| [t.dim(0), t.dim(1), t.dim(3)];
        let wanted = [batch, self.shared, head];
        if extents(cache.keys()) != wanted || extents(cache.values()) != wanted {
            let expected = format!("keys and values [{batch}, {}, …, {head}]", self.shared);
            return Err(Memory::KeysValues(cache).misfit(cx, &expected));
        }
        let passed = cache.len();
        let q = self.queries(cx, x, if self.context.is_some() { 0 } else { passed })?;
        if self.context.is_none() || passed == 0 {
            let (k, v) = self.keys_values(cx, context.unwrap_or(x), passed)?;
            cache.try_append(k.tensor(), v.tensor())?;
        }
        let (k, v) = (Var::constant(cache.keys()), Var::constant(cache.values()));
        let y = self.mix(cx, &q, &k, &v, mask)?;
        Ok((y, Memory::KeysValues(cache)))
    }

    /// Whether the layer can run on pieces of a sequence.
    pub(in crate::layers) fn is_streamable(&self) -> bool {
        self.causal || self.context.is_some()
    }
}

impl<F: Float> StreamModule<F> for AttentionModule<F> {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let (x, context, mask) = operands(cx, inputs)?;
        let (y, memory) = self.attend_from(cx, x, context, mask, memory)?;
        Ok((Value::Float(y), memory))
    }
}
