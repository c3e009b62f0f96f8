//! Pictures behind pieces of other pictures.

use crate::dataset::{About, Labelled, check_finite};
use crate::error::{Error, Result};
use fb_tensor::Tensor;
use fb_tensor::random::{Key, Rng};
use rand::RngExt as _;
use std::ops::RangeInclusive;

/// Places tried for a piece before one without ink is taken.
const LOOKS: usize = 16;

/// Lays pieces of other pictures over each picture, then adds noise: what a single sweep from pixels to label finds hard and
/// feedback is said to help with.
///
/// Pieces are rectangles cut where another picture has ink, that is a pixel above the middle of the range of all pixels. As
/// *debris* a piece is drawn as with the same pen, so that the brighter pixel of the two stays and nothing of the picture is
/// lost in the dark; as *covers* it hides what it lies on. Noise is normal; what leaves the range of pixels is cut off. The
/// number of pieces, their size and the noise are the level of difficulty.
///
/// # Examples
/// ```
/// use fb_data::embedded;
/// use fb_data::generated::Clutter;
/// let clutter = Clutter::new(1).pieces(6).size(2..=4).noise(0.1);
/// let digits = clutter.apply(embedded::digits())?;
/// assert_eq!(digits.images()?.dims(), [1797, 8, 8, 1]);
/// assert_eq!(digits.y(), embedded::digits().y());
/// # Ok::<(), fb_data::Error>(())
/// ```
///
/// # References
/// C. J. Spoerer, P. McClure, N. Kriegeskorte (2017), Recurrent convolutional neural networks: a better model of biological
/// object recognition, Frontiers in Psychology 8, 1551.
#[derive(Clone, Debug)]
#[must_use]
pub struct Clutter {
    seed: u64,
    pieces: usize,
    size: RangeInclusive<usize>,
    covers: bool,
    noise: f64,
}

impl Clutter {
    /// Nothing yet: no pieces, which would be debris of 2 to 4 pixels, and no noise.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            pieces: 0,
            size: 2..=4,
            covers: false,
            noise: 0.0,
        }
    }

    /// How many pieces lie on each picture.
    pub fn pieces(mut self, pieces: usize) -> Self {
        self.pieces = pieces;
        self
    }

    /// Height and width of a piece in pixels, each drawn from the range.
    pub fn size(mut self, size: RangeInclusive<usize>) -> Self {
        self.size = size;
        self
    }

    /// Pieces hide what they lie on.
    pub fn covers(mut self) -> Self {
        self.covers = true;
        self
    }

    /// The standard deviation of the noise, as a share of the range of pixels.
    pub fn noise(mut self, noise: f64) -> Self {
        self.noise = noise;
        self
    }

    /// The same set with clutter in its pictures.
    ///
    /// # Errors
    /// The set has no pictures, a piece is larger than a picture or has no pixels, or the noise is not a size.
    pub fn apply(&self, set: &Labelled) -> Result<Labelled> {
        let pictures = set.images()?;
        let image: [usize; 3] = std::array::from_fn(|axis| pictures.dim(axis + 1));
        let x = self.images(&pictures)?.reshape(*set.x().shape());
        let names = |names: &[String]| names.to_vec();
        let with = Labelled::new(
            x,
            set.y().clone(),
            names(set.feature_names()),
            names(set.class_names()),
        )?;
        let about = About {
            name: set.name().to_string(),
            description: format!("{} With clutter.", set.description()),
            source: set.source().to_string(),
            licence: set.licence().to_string(),
        };
        with.with_about(about).with_image_shape(image)
    }

    /// Pictures with clutter. What becomes of a row depends on the seed, its number and the rows that pieces are cut from.
    ///
    /// # Shapes
    /// - `images`: `[rows, height, width, channels]`
    /// - returns the same
    ///
    /// # Errors
    /// The shape is another, a number is NaN or infinite, a piece is larger than a picture or has no pixels, or the noise is
    /// not a size.
    pub fn images(&self, images: &Tensor) -> Result<Tensor> {
        let &[rows, height, width, channels] = images.dims() else {
            return Err(Error::Shape {
                op: "Clutter",
                expected: "[rows, height, width, channels]".to_string(),
                found: images.shape().to_string(),
                help: "Labelled::images gives pictures in this shape",
            });
        };
        check_finite(images)?;
        self.check(height.min(width))?;
        let clean = images.to_vec();
        let low = clean.iter().copied().fold(f32::INFINITY, f32::min);
        let high = clean.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sheet = Sheet {
            clean: &clean,
            rows,
            height,
            width,
            channels,
            ink: low / 2.0 + high / 2.0,
        };
        let key = Key::new(self.seed).fold("clutter");
        let mut all = clean.clone();
        let size = (height * width * channels).max(1);
        for (row, picture) in all.chunks_mut(size).enumerate() {
            let mut rng = key.fold("pieces").at(0, row as u64);
            for _ in 0..self.pieces {
                self.lay_piece(&sheet, row, picture, &mut rng);
            }
            if self.noise > 0.0 {
                let std = self.noise * (f64::from(high) - f64::from(low));
                let mut rng = key.fold("noise").at(0, row as u64);
                let noise = Tensor::<f64>::normal([size], 0.0, std, &mut rng);
                for (pixel, noise) in picture.iter_mut().zip(noise.iter()) {
                    *pixel = ((f64::from(*pixel) + noise) as f32).clamp(low, high);
                }
            }
        }
        Ok(Tensor::from_vec(all, [rows, height, width, channels]))
    }

    fn check(&self, largest: usize) -> Result<()> {
        let (start, end) = (*self.size.start(), *self.size.end());
        let fits = 1 <= start && start <= end && end <= largest;
        if self.pieces > 0 && !fits {
            let expected = format!("a range within 1..={largest}");
            let help = "a piece must fit into a picture";
            return Err(super::bad_range(
                "Clutter", "size", expected, &self.size, help,
            ));
        }
        if self.noise >= 0.0 && self.noise.is_finite() {
            return Ok(());
        }
        Err(Error::Argument {
            op: "Clutter",
            argument: "noise",
            expected: "a finite number from 0 on".to_string(),
            found: self.noise.to_string(),
            help: "0.1 is a tenth of the range from paper to ink",
        })
    }

    fn lay_piece(&self, sheet: &Sheet<'_>, row: usize, picture: &mut [f32], rng: &mut Rng) {
        let [tall, wide] = [(); 2].map(|()| rng.random_range(self.size.clone()));
        let place = |rng: &mut Rng| {
            let top = rng.random_range(0..=sheet.height - tall);
            (top, rng.random_range(0..=sheet.width - wide))
        };
        let to = place(rng);
        let (mut other, mut from) = (0, (0, 0));
        for _ in 0..LOOKS {
            other = sheet.another(row, rng);
            from = place(rng);
            if (0..tall).any(|y| sheet.has_ink(sheet.line(other, from, y, wide))) {
                break;
            }
        }
        for y in 0..tall {
            let start = sheet.start(to, y);
            let line = &mut picture[start..start + wide * sheet.channels];
            for (pixel, &over) in line.iter_mut().zip(sheet.line(other, from, y, wide)) {
                *pixel = if self.covers { over } else { pixel.max(over) };
            }
        }
    }
}

/// The pictures as they were.
struct Sheet<'a> {
    clean: &'a [f32],
    rows: usize,
    height: usize,
    width: usize,
    channels: usize,
    /// Brighter than this is ink.
    ink: f32,
}

impl Sheet<'_> {
    /// A row that is not this one, if there is another.
    fn another(&self, row: usize, rng: &mut Rng) -> usize {
        if self.rows < 2 {
            return row;
        }
        let other = rng.random_range(0..self.rows - 1);
        other + usize::from(other >= row)
    }

    /// Where in a picture the line `y` below a corner starts.
    fn start(&self, (top, left): (usize, usize), y: usize) -> usize {
        ((top + y) * self.width + left) * self.channels
    }

    fn line(&self, row: usize, corner: (usize, usize), y: usize, wide: usize) -> &[f32] {
        let picture = row * self.height * self.width * self.channels;
        let start = picture + self.start(corner, y);
        &self.clean[start..start + wide * self.channels]
    }

    fn has_ink(&self, line: &[f32]) -> bool {
        line.iter().any(|&pixel| pixel > self.ink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded;

    /// Pictures of one brightness each, so that every pixel tells where it comes from.
    fn plain(rows: usize) -> Tensor {
        let pixels = (0..rows).flat_map(|row| vec![row as f32; 6 * 5 * 2]);
        Tensor::from_vec(pixels.collect(), [rows, 6, 5, 2])
    }

    fn changed(a: &Tensor, b: &Tensor) -> usize {
        a.iter().zip(b.iter()).filter(|(a, b)| a != b).count()
    }

    #[test]
    fn covers_replace_and_debris_only_brightens() {
        let images = plain(7);
        let clutter = Clutter::new(2).pieces(1).size(3..=3);
        let covered = clutter.clone().covers().images(&images).unwrap();
        let debris = clutter.images(&images).unwrap();
        for row in 0..7 {
            let [clean, covered, debris] =
                [&images, &covered, &debris].map(|x| x.index_axis(0, row));
            assert_eq!(
                changed(&clean, &covered),
                9 * 2,
                "one square of 3 by 3, whole"
            );
            assert!(debris.iter().all(|pixel| pixel >= row as f32));
            assert!(
                debris
                    .iter()
                    .zip(covered.iter())
                    .all(|(d, c)| d == c.max(row as f32))
            );
        }
    }

    #[test]
    fn pieces_are_cut_where_there_is_ink() {
        let mut pixels = vec![0.0; 20 * 64];
        for picture in pixels.chunks_mut(64) {
            picture[27] = 1.0;
        }
        let images = Tensor::from_vec(pixels, [20, 8, 8, 1]);
        let littered = Clutter::new(1).pieces(4).images(&images).unwrap();
        let dots = littered.iter().filter(|&pixel| pixel == 1.0).count();
        assert!(dots > 20 * 3, "{dots}");
    }

    #[test]
    fn noise_has_its_size_and_stays_in_range() {
        let images = Tensor::from_vec((0..4000).map(|i| (i % 5) as f32).collect(), [40, 10, 10, 1]);
        let noisy = Clutter::new(3).noise(0.05).images(&images).unwrap();
        assert!(noisy.iter().all(|pixel| (0.0..=4.0).contains(&pixel)));
        let inner = images
            .iter()
            .zip(noisy.iter())
            .filter(|(clean, _)| *clean == 2.0);
        let squares: Vec<f32> = inner
            .map(|(clean, noisy)| (noisy - clean).powi(2))
            .collect();
        let std = (squares.iter().sum::<f32>() / squares.len() as f32).sqrt();
        assert!((std - 0.2).abs() < 0.02, "{std}");
    }

    #[test]
    fn more_pieces_change_more() {
        let digits = embedded::digits();
        let share = |pieces| {
            let set = Clutter::new(1).pieces(pieces).apply(digits).unwrap();
            assert_eq!(set.y(), digits.y());
            changed(set.x(), digits.x()) as f64 / digits.x().len() as f64
        };
        let [none, few, many] = [0, 3, 9].map(share);
        assert_eq!(none, 0.0);
        assert!(0.05 < few && few < many && many < 0.6, "{few} {many}");
    }

    #[test]
    fn a_seed_is_a_result() {
        let clothes = embedded::fashion_test();
        let clutter = |seed| {
            let clutter = Clutter::new(seed).pieces(5).size(4..=8).covers().noise(0.1);
            clutter.apply(clothes).unwrap()
        };
        assert_eq!(clutter(1).x(), clutter(1).x());
        assert_ne!(clutter(1).x(), clutter(2).x());
        assert_eq!(clutter(1).images().unwrap().dims(), [200, 28, 28, 1]);
        assert_eq!(clutter(1).class_names(), clothes.class_names());
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        let images = plain(2);
        let error = |clutter: Clutter| clutter.images(&images).unwrap_err().to_string();
        assert_eq!(
            error(Clutter::new(1).pieces(1).size(2..=6)),
            "Clutter: bad size\n  expected a range within 1..=5, found 2..=6\n  help: a piece must fit into a picture"
        );
        assert!(error(Clutter::new(1).pieces(1).size(0..=2)).contains("found 0..=2"));
        assert!(error(Clutter::new(1).noise(-1.0)).contains("bad noise"));
        assert!(Clutter::new(1).images(&Tensor::zeros([3, 4])).is_err());
        assert!(Clutter::new(1).apply(embedded::iris()).is_err());
        let none = Tensor::zeros([0, 8, 8, 1]);
        assert_eq!(
            Clutter::new(1).pieces(2).noise(0.1).images(&none).unwrap(),
            none
        );
        let alone = Clutter::new(1).pieces(2).images(&plain(1)).unwrap();
        assert_eq!(alone, plain(1), "its own pieces on itself");
    }
}
