//! Values that other programs give; each file of numbers has the script beside it that made it.

mod ridge;
