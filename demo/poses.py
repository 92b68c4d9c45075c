"""Six species as shapes: proportions, bills, crests, tails and wing patterns, each in a few poses.

Colour is left out on purpose: any bird may wear any plumage (`Plumage`), so only shape and pattern tell them apart.
Drawn facing right inside [-1, 1] x [-1, 1], y downwards; far parts first.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from .brush import Brush, Colour, Points, tinted
from .scenery import perch, stray_branch

_DARK: Colour = (24, 22, 24)


@dataclass(frozen=True)
class Plumage:
    """Colours of one bird: body, contrasting marks, a second paler or darker body tone, bill, legs, iris."""

    base: Colour
    mark: Colour
    soft: Colour
    bill: Colour
    legs: Colour
    iris: Colour


def _eye(b: Brush, x: float, y: float, radius: float, iris: Colour) -> None:
    b.oval(x, y, radius, radius, iris)
    b.oval(x, y, 0.6 * radius, 0.6 * radius, _DARK)
    b.oval(x + 0.25 * radius, y - 0.3 * radius, 0.22 * radius, 0.22 * radius, (250, 250, 250))


def _wing(b: Brush, p: Plumage, lead: Points, trail: Points, *, fingers: int, span: float = 0.34) -> None:
    """A spread wing with pale coverts, dark flight feathers and, at the tip, `fingers` separate primaries."""
    (x0, y0), (x1, y1) = lead[-1], trail[-1]
    out = math.atan2(y0 - lead[-2][1], x0 - lead[-2][0])
    for i in range(fingers):
        t = i / max(1, fingers - 1)
        x, y = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
        angle = out - 0.25 + 1.0 * t * math.copysign(1, (x0 - 0) or 1)
        reach = span * (1 - 0.45 * abs(t - 0.35))
        tip = (x + reach * math.cos(angle), y + reach * math.sin(angle))
        b.limb(
            [(x - 0.1 * math.cos(out), y - 0.1 * math.sin(out)), ((x + tip[0]) / 2, (y + tip[1]) / 2 - 0.01), tip],
            (0.1, 0.035),
            p.mark,
        )
    b.panel(lead, trail, p.mark)
    b.quills(lead, trail, 9, tinted(p.mark, 0.75), across=(0.5, 1))
    b.panel(lead, trail, p.base, across=(0, 0.52), along=(0, 0.97))
    b.panel(lead, trail, p.soft, across=(0, 0.22), along=(0, 0.9))


def stork(b: Brush, p: Plumage, r: Random) -> None:
    """Long straight bill, neck and legs, dark flight feathers. Stands, feeds, clatters, or flies outstretched."""
    if r.random() < 0.2:
        b = b.moved(turn=r.uniform(-20, 20))
        stray_branch(b, r)
        lift = r.choice((-1, 1)) * r.uniform(0.8, 1.1)
        lead, trail = (
            [(0.16, 0.0), (0.2, 0.35), (0.12, 0.62), (-0.02, 0.8)],
            [(-0.26, 0.0), (-0.24, 0.3), (-0.24, 0.5), (-0.22, 0.68)],
        )
        _wing(b.moved(at=(0.08, -0.02), stretch=(0.9, 0.8 * lift)), p, lead, trail, fingers=5, span=0.2)
        b.limb([(-0.3, 0.03), (-0.65, 0.06), (-1.0, 0.06)], (0.06, 0.04), p.legs)
        b.limb([(0.2, 0.0), (0.45, -0.06), (0.66, -0.02)], (0.2, 0.09), p.base)
        b.blob(
            [(0.3, -0.04), (0.0, -0.14), (-0.35, -0.05), (-0.5, 0.02), (-0.3, 0.1), (0.05, 0.13), (0.26, 0.08)], p.base
        )
        b.oval(0.66, -0.02, 0.09, 0.07, p.base)
        b.fill([(0.72, -0.06), (1.12, 0.03), (0.7, 0.04)], p.bill)
        _eye(b, 0.68, -0.04, 0.022, p.iris)
        _wing(b.moved(at=(0.0, 0.0), stretch=(1.0, lift)), p, lead, trail, fingers=5, span=0.2)
        return
    perch(b, 0.95, r)
    b = b.moved(at=(-0.1, 0), turn=r.uniform(-5, 5))
    stride = r.uniform(0.02, 0.14)
    b.limb([(0.0, 0.1), (0.05 + stride / 2, 0.52), (stride, 0.96)], (0.06, 0.04), tinted(p.legs, 0.8))
    if r.random() < 0.3:
        b.limb([(-0.1, 0.1), (0.12, 0.42), (-0.08, 0.55)], (0.06, 0.04), p.legs)
    else:
        b.limb([(-0.1, 0.1), (-0.1, 0.52), (-0.1 - stride, 0.97)], (0.065, 0.045), p.legs)
    neck, bill = r.choice(
        (
            ([(0.1, -0.1), (0.3, -0.28), (0.22, -0.52), (0.32, -0.76)], r.uniform(0, 35)),
            ([(0.1, -0.1), (0.3, -0.28), (0.22, -0.52), (0.32, -0.76)], r.uniform(0, 35)),
            ([(0.1, -0.08), (0.34, -0.2), (0.32, -0.36), (0.44, -0.5)], r.uniform(10, 50)),
            ([(0.1, -0.05), (0.36, -0.08), (0.46, 0.1), (0.5, 0.3)], r.uniform(45, 80)),
            ([(0.1, -0.1), (0.28, -0.28), (0.16, -0.48), (0.1, -0.68)], r.uniform(-120, -70)),
        )
    )
    b.limb(neck, (0.26, 0.1), p.base)
    b.blob(
        [
            (0.24, -0.18),
            (0.05, -0.3),
            (-0.25, -0.24),
            (-0.5, -0.02),
            (-0.6, 0.12),
            (-0.3, 0.15),
            (-0.02, 0.2),
            (0.16, 0.1),
        ],
        p.base,
    )
    b.blob([(-0.1, -0.1), (-0.42, -0.02), (-0.74, 0.2), (-0.45, 0.17), (-0.12, 0.13), (0.02, 0.03)], p.mark)
    b.quills(
        [(-0.1, -0.08), (-0.4, 0.0), (-0.66, 0.16)], [(0.0, 0.04), (-0.2, 0.13), (-0.55, 0.18)], 5, tinted(p.mark, 0.7)
    )
    b.blob([(0.14, -0.18), (-0.1, -0.2), (-0.36, -0.04), (-0.1, 0.04), (0.1, 0.0)], p.soft)
    head = b.moved(at=neck[-1], turn=bill)
    head.fill([(0.04, -0.045), (0.6, 0.005), (0.04, 0.05)], p.bill)
    head.oval(0, 0, 0.105, 0.078, p.base)
    _eye(head, 0.04, -0.015, 0.024, p.iris)


def vulture(b: Brush, p: Plumage, r: Random) -> None:
    """Broad fingered wings, short tail, small bare head. Soars, or sits hunched with its ruff and hooked bill."""
    if r.random() < 0.68:
        b = b.moved(turn=r.uniform(-75, 75), stretch=(1, r.uniform(0.7, 1.05)))
        stray_branch(b, r)
        b.blob([(-0.08, 0.22), (-0.2, 0.5), (0.0, 0.56), (0.2, 0.5), (0.08, 0.22)], p.mark)
        sweep = r.uniform(-0.12, 0.1)
        for side in (-1, 1):
            lead = [(0.03, -0.2), (0.3, -0.34), (0.56, -0.3), (0.76, -0.2 + sweep)]
            trail = [(0.03, 0.22), (0.3, 0.27), (0.54, 0.22), (0.74, 0.08 + sweep)]
            wing = b.moved(stretch=(side * r.uniform(0.82, 1.05), 1), turn=side * r.uniform(-10, 6))
            _wing(wing, p, lead, trail, fingers=6, span=0.42)
        look = r.uniform(-0.07, 0.07)
        b.oval(0, 0.03, 0.14, 0.3, p.base)
        b.oval(look / 2, -0.25, 0.1, 0.07, p.soft)
        b.limb([(look / 2, -0.26), (look, -0.4)], (0.09, 0.07), p.soft)
        b.fill([(look - 0.03, -0.4), (look + 0.05, -0.48), (look + 0.03, -0.38)], p.bill)
        return
    perch(b, 0.78, r)
    b = b.moved(at=(-0.02, 0.02), turn=r.uniform(-8, 8))
    b.limb([(0.02, 0.5), (0.04, 0.8)], (0.16, 0.07), p.legs)
    b.limb([(-0.14, 0.5), (-0.14, 0.8)], (0.16, 0.07), p.legs)
    drop = r.uniform(-0.12, 0.3)
    neck = (
        [(0.08, -0.46), (0.3, -0.6), (0.42, -0.56 + drop)]
        if r.random() < 0.7
        else [(0.06, -0.46), (0.2, -0.72), (0.26, -0.8)]
    )
    b.limb(neck, (0.14, 0.1), p.soft)
    b.blob(
        [
            (-0.1, -0.55),
            (0.16, -0.42),
            (0.34, -0.05),
            (0.26, 0.4),
            (0.02, 0.64),
            (-0.3, 0.6),
            (-0.42, 0.1),
            (-0.36, -0.35),
        ],
        p.base,
    )
    shoulder, rear = (
        [(0.06, -0.4), (0.16, 0.0), (0.02, 0.4), (-0.34, 0.98)],
        [(-0.3, -0.44), (-0.46, -0.05), (-0.5, 0.4), (-0.5, 0.94)],
    )
    b.panel(shoulder, rear, p.mark)
    b.quills(rear[1:], shoulder[1:], 5, tinted(p.mark, 0.7), across=(0.0, 0.9))
    b.panel(shoulder, rear, p.soft, along=(0, 0.42))
    for i in range(9):
        b.oval(-0.2 + 0.05 * i, -0.48 + 0.03 * math.sin(2.1 * i), 0.07, 0.1, tinted(p.soft, 1.2), turn=50 - 12 * i)
    x, y = neck[-1]
    b.oval(x + 0.03, y, 0.12, 0.085, p.soft, turn=15)
    b.blob(
        [(x + 0.1, y - 0.05), (x + 0.24, y - 0.03), (x + 0.28, y + 0.12), (x + 0.2, y + 0.06), (x + 0.1, y + 0.06)],
        p.bill,
    )
    _eye(b, x + 0.06, y - 0.02, 0.026, p.iris)


def _crest(b: Brush, p: Plumage, raised: float) -> None:
    """A hoopoe's fan around the origin, from folded (0) to spread (1), each feather with a dark tip."""
    n = 8
    for i in range(n):
        angle = math.radians(200 + (85 * raised) * (i / (n - 1)) + 5 * raised)
        reach = 0.44 * (1 - 0.3 * abs(i / (n - 1) - 0.5) * raised)
        c, s = math.cos(angle), math.sin(angle)
        b.limb([(0, 0), (0.5 * reach * c, 0.5 * reach * s), (0.8 * reach * c, 0.8 * reach * s)], (0.04, 0.11), p.base)
        b.oval(0.86 * reach * c, 0.86 * reach * s, 0.08, 0.05, p.mark, turn=math.degrees(angle))


def _barred(b: Brush, p: Plumage, lead: Points, trail: Points, bars: int = 5) -> None:
    b.panel(lead, trail, p.mark)
    for i in range(bars):
        b.panel(lead, trail, p.soft, along=((i + 0.45) / bars, (i + 0.95) / bars), across=(0.0, 0.95))


def hoopoe(b: Brush, p: Plumage, r: Random) -> None:
    """Fan of a crest, long curved bill, boldly barred wings and tail. Perches, probes, or flies like a butterfly."""
    raised = r.choice((0.2, 0.8, 1.0, 1.0, 1.15))
    is_flying = r.random() < 0.22
    if is_flying:
        b = b.moved(turn=r.uniform(-30, 30))
        stray_branch(b, r)
        lift, lead = r.choice((-1, 1)), [(0.2, 0.0), (0.32, 0.35), (0.3, 0.7), (0.05, 0.95)]
        trail = [(-0.25, 0.0), (-0.32, 0.3), (-0.36, 0.65), (-0.12, 0.92)]
        _barred(b.moved(stretch=(0.9, -lift * r.uniform(0.7, 0.9)), turn=8 * lift), p, lead, trail)
        tail = [(-0.3, 0.0), (-0.58, 0.02), (-0.85, 0.04)]
    else:
        perch(b, 0.62, r)
        b = b.moved(turn=r.uniform(-12, 28))
        for x in (-0.04, 0.08):
            b.limb([(x, 0.3), (x + 0.03, 0.64)], (0.05, 0.035), p.legs)
        tail = [(-0.25, 0.32), (-0.52, 0.5), (-0.82, 0.68)]
    b.limb(tail, (0.16, 0.24), p.mark)
    (x0, y0), (x1, y1) = tail[1], tail[2]
    b.limb([(x0 - 0.02, y0), (0.55 * x0 + 0.45 * x1, 0.55 * y0 + 0.45 * y1)], (0.19, 0.21), p.soft)
    if is_flying:
        b.blob([(0.5, -0.06), (0.2, -0.15), (-0.2, -0.1), (-0.42, 0.0), (-0.2, 0.12), (0.2, 0.14), (0.5, 0.08)], p.base)
        _barred(b.moved(stretch=(1, lift * r.uniform(0.75, 1))), p, lead, trail)
        head = b.moved(at=(0.55, -0.02))
    else:
        b.blob(
            [
                (0.44, -0.32),
                (0.36, 0.02),
                (0.14, 0.3),
                (-0.18, 0.42),
                (-0.36, 0.38),
                (-0.25, 0.05),
                (0.0, -0.25),
                (0.22, -0.46),
            ],
            p.base,
        )
        _barred(
            b,
            p,
            [(0.22, -0.16), (-0.06, -0.08), (-0.3, 0.14), (-0.48, 0.4)],
            [(0.26, -0.02), (0.12, 0.2), (-0.12, 0.36), (-0.44, 0.5)],
        )
        head = b.moved(at=(0.35, -0.42), turn=r.uniform(-12, 12))
    _crest(head.moved(at=(0.02, -0.06)), p, raised)
    head.limb([(0.1, 0.0), (0.36, 0.0), (0.62, 0.13)], (0.075, 0.02), p.bill)
    head.oval(0.02, 0, 0.15, 0.125, p.base)
    _eye(head, 0.06, -0.02, 0.03, p.iris)


def owl(b: Brush, p: Plumage, r: Random) -> None:
    """Upright egg with a round head, ear tufts, great eyes in discs, streaked breast. Perches, or spreads its wings."""
    if r.random() < 0.25:
        stray_branch(b, r)
        span, dip = r.uniform(0.85, 1.0), r.uniform(-15, 22)
        for side in (-1, 1):
            lead, trail = (
                [(0.2, -0.2), (0.5, -0.42), (0.8, -0.36), (1.02, -0.12)],
                [(0.2, 0.45), (0.48, 0.42), (0.76, 0.36), (0.98, 0.14)],
            )
            wing = b.moved(turn=side * dip, stretch=(side * span, 1))
            wing.panel(lead, trail, p.base)
            for t in (0.45, 0.65, 0.85):
                wing.panel(lead, trail, p.mark, across=(t, t + 0.08), along=(0.05, 1))
            wing.quills(lead, trail, 9, tinted(p.base, 0.7), across=(0.3, 1))
    else:
        perch(b, 0.8, r)
    b = b.moved(turn=r.uniform(-8, 8), stretch=(r.uniform(0.88, 1.08), 1))
    b.blob([(-0.16, 0.6), (0.16, 0.6), (0.12, 1.0), (-0.12, 1.0)], tinted(p.mark, 0.9))
    b.blob(
        [(0, -0.45), (0.36, -0.3), (0.45, 0.15), (0.32, 0.62), (0, 0.78), (-0.32, 0.62), (-0.45, 0.15), (-0.36, -0.3)],
        p.base,
    )
    b.oval(0, 0.2, 0.29, 0.48, p.soft)
    for row in range(6):
        for col in range(-2, 3):
            x, y = 0.105 * col + 0.05 * (row % 2) - 0.025, -0.08 + 0.13 * row
            b.limb([(x, y), (x + r.uniform(-0.02, 0.02), y + 0.1)], (0.045, 0.015), p.mark)
    for side in (-1, 1):
        b.moved(stretch=(side, 1)).panel(
            [(0.3, -0.22), (0.5, 0.1), (0.46, 0.45), (0.26, 0.78)],
            [(0.26, -0.2), (0.28, 0.1), (0.28, 0.42), (0.2, 0.72)],
            tinted(p.base, 0.8),
        )
        for toe in (0.06, 0.13, 0.2):
            b.oval(side * toe, 0.79, 0.035, 0.06, p.legs)
    head = b.moved(at=(r.uniform(-0.05, 0.05), -0.45), turn=r.uniform(-18, 18))
    aside, alert = r.uniform(-0.07, 0.07), r.uniform(0, 0.16)
    for side in (-1, 1):
        head.limb(
            [(side * 0.24, -0.18), (side * 0.34, -0.34), (side * (0.44 - alert), -0.46 - alert)], (0.22, 0.03), p.mark
        )
    head.blob(
        [(0, -0.3), (0.3, -0.26), (0.44, 0), (0.34, 0.22), (0, 0.32), (-0.34, 0.22), (-0.44, 0), (-0.3, -0.26)], p.base
    )
    lid = r.choice((1.0, 1.0, 1.0, 0.6))
    for side in (-1, 1):
        x = aside + side * 0.185
        head.oval(x, 0, 0.2, 0.215, p.mark)
        head.oval(x, 0, 0.175, 0.19, p.soft)
        head.oval(x, 0, 0.115, 0.115 * lid, p.iris)
        head.oval(x + 0.2 * aside, 0, 0.062, 0.062 * lid, _DARK)
        head.oval(x + 0.03, -0.035, 0.02, 0.02, (250, 250, 250))
        head.limb(
            [(aside, 0.02), (aside + side * 0.16, -0.2), (aside + side * 0.36, -0.3)],
            (0.07, 0.05),
            tinted(p.base, 0.75),
        )
    head.blob([(aside - 0.05, 0.02), (aside + 0.05, 0.02), (aside, 0.18)], p.bill)


def swallow(b: Brush, p: Plumage, r: Random) -> None:
    """Sickle wings and a deeply forked tail with streamers. Glides, banks, or sits on a wire."""
    if r.random() < 0.3:
        perch(b, 0.42, r)
        b = b.moved(at=(0.08, 0), turn=r.uniform(-14, 14))
        for x in (0.05, 0.13):
            b.limb([(x, 0.25), (x, 0.45)], (0.04, 0.03), p.legs)
        for end in ((-0.66, 0.9), (-0.42, 1.02)):
            b.limb([(-0.14, 0.3), (0.5 * end[0] - 0.02, 0.62), end], (0.13, 0.012), p.mark)
        b.blob(
            [(0.36, -0.34), (0.36, 0.0), (0.22, 0.26), (0.0, 0.38), (-0.2, 0.36), (-0.1, 0.02), (0.08, -0.34)], p.soft
        )
        b.blob([(0.14, -0.24), (0.12, 0.1), (-0.16, 0.42), (-0.62, 0.76), (-0.26, 0.28), (-0.06, -0.1)], p.base)
        b.limb([(0.08, -0.04), (-0.1, 0.34), (-0.5, 0.68)], (0.03, 0.015), tinted(p.base, 0.7))
        b.oval(0.22, -0.4, 0.21, 0.18, p.base)
        b.blob([(0.42, -0.4), (0.42, -0.26), (0.26, -0.16), (0.2, -0.3)], p.mark)
        b.fill([(0.4, -0.45), (0.52, -0.38), (0.4, -0.37)], p.bill)
        _eye(b, 0.32, -0.43, 0.03, p.iris)
        return
    stray_branch(b, r)
    b = b.moved(at=(0.1, 0), turn=r.uniform(-75, 40))
    fork, sweep = r.uniform(0.16, 0.34), r.uniform(-0.1, 0.18)
    near, far = r.uniform(0.75, 1), r.choice((-1, -1, 1)) * r.uniform(0.5, 0.95)
    lead = [(0.26, 0.04), (0.3 - sweep, 0.38), (0.04 - sweep, 0.72), (-0.5 - sweep, 1.04)]
    trail = [(-0.1, 0.04), (-0.06 - sweep / 2, 0.3), (-0.2 - sweep, 0.62), (-0.46 - sweep, 1.02)]
    for side in (-1, 1):
        b.limb([(-0.3, 0.02 * side), (-0.6, 0.55 * fork * side), (-1.05, fork * side)], (0.15, 0.01), p.mark)
    for lift in (far, near):
        wing = b.moved(stretch=(1, lift))
        wing.panel(lead, trail, p.mark)
        wing.panel(lead, trail, p.base, across=(0, 0.5), along=(0, 0.85))
        wing.quills(lead, trail, 7, tinted(p.mark, 0.75), across=(0.5, 1))
    b.blob([(0.4, -0.09), (0.1, -0.14), (-0.25, -0.07), (-0.42, 0.0), (-0.25, 0.07), (0.1, 0.13), (0.4, 0.09)], p.soft)
    b.blob([(0.4, -0.1), (0.1, -0.14), (-0.25, -0.07), (-0.4, -0.01), (0.1, 0.02), (0.4, 0.03)], p.base)
    b.oval(0.44, 0, 0.14, 0.11, p.base)
    b.blob([(0.54, 0.02), (0.44, 0.11), (0.3, 0.11), (0.34, 0.03)], p.mark)
    b.fill([(0.56, -0.03), (0.66, 0.01), (0.55, 0.04)], p.bill)
    _eye(b, 0.5, -0.03, 0.024, p.iris)


def toucan(b: Brush, p: Plumage, r: Random) -> None:
    """A bill nearly as long as its owner, pale bib, ringed eye. Perches bill up or down, or flies after its bill."""
    if r.random() < 0.2:
        b = b.moved(at=(-0.15, 0), turn=r.uniform(-25, 25))
        stray_branch(b, r)
        lift = r.choice((-1, 1))
        lead, trail = (
            [(0.12, 0.0), (0.2, 0.3), (0.1, 0.6), (-0.15, 0.78)],
            [(-0.3, 0.0), (-0.36, 0.25), (-0.4, 0.5), (-0.28, 0.74)],
        )
        _wing(b.moved(stretch=(0.8, 0.85 * lift), turn=10 * lift), p, lead, trail, fingers=3, span=0.12)
        b.limb([(-0.3, 0.0), (-0.6, 0.03), (-0.88, 0.05)], (0.14, 0.2), p.mark)
        b.blob(
            [(0.36, -0.14), (0.05, -0.17), (-0.3, -0.08), (-0.42, 0.02), (-0.25, 0.12), (0.1, 0.16), (0.36, 0.1)],
            p.base,
        )
        _wing(b.moved(stretch=(0.9, lift)), p, lead, trail, fingers=3, span=0.12)
        head = b.moved(at=(0.36, -0.03), turn=r.uniform(-5, 12), stretch=(0.95, 0.85))
    else:
        perch(b, 0.58, r)
        b = b.moved(at=(-0.22, 0.04), turn=r.uniform(-14, 14))
        b.limb([(-0.22, 0.35), (-0.38, 0.65), (-0.46, 0.98)], (0.18, 0.22), p.mark)
        for x in (-0.06, 0.08):
            b.limb([(x, 0.35), (x + 0.03, 0.58)], (0.07, 0.06), p.legs)
        b.blob(
            [
                (0.26, -0.36),
                (0.32, -0.02),
                (0.2, 0.34),
                (-0.05, 0.5),
                (-0.3, 0.44),
                (-0.34, 0.1),
                (-0.22, -0.3),
                (0.0, -0.56),
            ],
            p.base,
        )
        shoulder, rear = (
            [(-0.04, -0.14), (0.08, 0.1), (0.02, 0.32), (-0.34, 0.64)],
            [(-0.2, -0.16), (-0.34, 0.05), (-0.42, 0.3), (-0.4, 0.62)],
        )
        b.panel(shoulder, rear, tinted(p.base, 0.8))
        b.quills(rear[1:], shoulder[1:], 4, tinted(p.base, 0.6))
        head = b.moved(at=(0.08, -0.5), turn=r.choice((r.uniform(-40, -10), r.uniform(-8, 35))))
    head.blob([(0.2, 0.0), (0.24, 0.2), (0.16, 0.42), (-0.02, 0.36), (-0.06, 0.1), (0.05, -0.08)], p.soft)
    head.oval(0, 0, 0.27, 0.24, p.base)
    head.blob([(0.22, 0.06), (0.2, 0.26), (0.06, 0.32), (-0.04, 0.16), (0.06, 0.02)], p.soft)
    upper = [(0.2, -0.16), (0.48, -0.22), (0.78, -0.12), (0.98, 0.12)]
    lower = [(0.2, 0.15), (0.48, 0.14), (0.76, 0.14), (0.94, 0.16)]
    head.panel(upper, lower, p.bill)
    head.panel(upper, lower, tinted(p.bill, 0.8), across=(0.62, 1))
    head.panel(upper, lower, p.mark, along=(0.8, 1))
    head.panel(upper, lower, p.mark, along=(0, 0.1))
    head.oval(0.06, -0.05, 0.1, 0.095, p.legs)
    _eye(head, 0.07, -0.05, 0.05, p.iris)


SPECIES: Mapping[str, Callable[[Brush, Plumage, Random], None]] = MappingProxyType(
    {
        "abubilla": hoopoe,
        "buitre leonado": vulture,
        "búho real": owl,
        "cigüeña": stork,
        "golondrina común": swallow,
        "tucán toco": toucan,
    }
)
