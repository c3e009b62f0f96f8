//! What the machine can do: multiply–adds in registers, copies, reads.

use fb::tensor::limits;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How long each limit is measured.
const TIME: Duration = Duration::from_millis(250);
/// Numbers of a thread's part of memory: far more than any cache.
const LARGE: usize = 1 << 25;
/// Numbers of the passes among the workloads, whose limit may lie between cache and memory.
const PASS: usize = 1 << 22;

/// Limits of a number of threads together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Multiply–adds a second, in 10⁹ operations of which each has two.
    pub fma_gflops: f64,
    /// Bytes copied within memory a second, read and written ones together, in 10⁹.
    pub copy_gb_s: f64,
    /// The same for 16 MiB that are copied again and again.
    pub pass_gb_s: f64,
    /// Bytes read from memory a second, in 10⁹.
    pub read_gb_s: f64,
}

/// Measures for about a second. Copies are done with stores through the caches and past them; the faster ones count.
pub fn measure(threads: usize) -> Limits {
    let threads = threads.max(1);
    let fma = rate(threads, || {
        || {
            let (count, sum) = limits::multiply_adds(20_000);
            black_box(sum);
            2 * count
        }
    });
    Limits {
        fma_gflops: fma,
        copy_gb_s: copy(threads, LARGE),
        pass_gb_s: copy(threads, PASS / threads),
        read_gb_s: rate(threads, || {
            let numbers = vec![1.0_f32; LARGE];
            move || {
                black_box(limits::read(&numbers));
                4 * LARGE as u64
            }
        }),
    }
}

fn copy(threads: usize, numbers: usize) -> f64 {
    let by = |copy: fn(&[f32], &mut [f32])| {
        rate(threads, || {
            let (from, mut to) = (vec![1.0_f32; numbers], vec![0.0_f32; numbers]);
            move || {
                copy(&from, &mut to);
                black_box(&mut to);
                8 * numbers as u64
            }
        })
    };
    by(|from, to| to.copy_from_slice(from)).max(by(limits::stream))
}

/// 10⁹ units of work a second, all threads together: `make` gives a thread its work, which tells how much it did.
fn rate<W: FnMut() -> u64>(threads: usize, make: impl Fn() -> W + Sync) -> f64 {
    let start = Barrier::new(threads);
    let one = || {
        let mut work = make();
        work();
        start.wait();
        let (begin, mut done) = (Instant::now(), 0);
        while begin.elapsed() < TIME {
            done += work();
        }
        done as f64 / begin.elapsed().as_secs_f64() / 1e9
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
        let mine = one();
        let others = others
            .into_iter()
            .map(|other| other.join().expect("nothing in a measurement panics"));
        mine + others.sum::<f64>()
    })
}
