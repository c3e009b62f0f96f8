"""Makes dejavu_sans.bin: the outlines that text in PNG plots is drawn with, and its widths in both formats.

    pip install fonttools
    python generate.py /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf

All numbers are little-endian. The file holds the number of glyphs (u16), then for each glyph, ordered by character:

    character   u32
    advance     u16    in 1/1000 em
    contours    u16
    per contour: number of points (u16), then per point x, y (i16, 1/1000 em, y upwards) and whether it lies on the
    curve (u8); between two points off the curve lies one on it, halfway (TrueType's quadratic splines)
"""

import struct
import sys
from pathlib import Path

from fontTools.ttLib import TTFont

EM = 1000
CHARACTERS = set(
    [chr(c) for c in range(0x20, 0x7F)]
    + [chr(c) for c in range(0xA0, 0x100) if c != 0xAD]
    + list("αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΦΨΩ")
    + list("–—‘’“”•…←↑→↓↔∂∇∈∏∑−√∞∫≈≠≤≥✓")
)


def main(path):
    font = TTFont(path)
    scale = EM / font["head"].unitsPerEm
    names = font.getBestCmap()
    table = font["glyf"]
    out = [struct.pack("<H", len(CHARACTERS))]
    for character in sorted(CHARACTERS):
        name = names[ord(character)]
        advance = round(font["hmtx"][name][0] * scale)
        points, ends, flags = table[name].getCoordinates(table)
        out.append(struct.pack("<IHH", ord(character), advance, len(ends)))
        start = 0
        for end in ends:
            out.append(struct.pack("<H", end + 1 - start))
            for (x, y), flag in zip(points[start : end + 1], flags[start : end + 1]):
                out.append(struct.pack("<hhB", round(x * scale), round(y * scale), flag & 1))
            start = end + 1
    Path(__file__).with_name("dejavu_sans.bin").write_bytes(b"".join(out))


if __name__ == "__main__":
    main(sys.argv[1])
