//! What pools under a moving window have in common.

use super::axes::{self, Axes};
use super::misfit;
use crate::error::Result;
use crate::module::{Built, Context, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::{Float, PoolOptions, Shape};

/// What is computed of the numbers under a window.
type Pool<F, const D: usize> = fn(&Var<F>, &PoolOptions<D>) -> Var<F>;

/// Builds a pool, which has no parameters, under the name of `kind`.
pub(super) fn build<F: Float, const D: usize>(
    scope: &Scope<F>,
    kind: &str,
    inputs: &[Spec],
    options: PoolOptions<D>,
    pool: Pool<F, D>,
) -> Result<Built<F>>
where
    Var<F>: Axes<F, D>,
{
    let (input, _) = axes::input::<F, D>(scope, kind, inputs)?;
    let output = axes::output(
        scope,
        kind,
        input,
        "a window, stride and padding that fit",
        "a smaller window, or a padding",
        |none| Var::try_pool(none, &options),
    )?;
    Ok(Built {
        module: simple(PoolModule {
            options,
            pool,
            input,
        }),
        output: Spec::float(output),
        sum: None,
        description: format!("{kind} {}", axes::extents(&options.window)),
    })
}

#[derive(Debug)]
struct PoolModule<F: Float, const D: usize> {
    options: PoolOptions<D>,
    pool: Pool<F, D>,
    input: Shape,
}

impl<F: Float, const D: usize> SimpleModule<F> for PoolModule<F, D> {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        Ok((self.pool)(x, &self.options))
    }
}
