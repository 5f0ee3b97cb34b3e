#!/usr/bin/env python3
"""Writes examples/cabs/streets.json: an outline of Manhattan and a graph of its main streets, drawn by us.

The uptown grid comes from one known corner (5th Avenue and 59th Street), the grid's bearing (29 degrees east of
north), the street pitch and the avenues' spacing; downtown and the shores are polylines through a few dozen corner
coordinates. Lines are clipped to the island, cut at every crossing and joined into one connected graph.

Format: {"name", "attribution", "outline": [polygon...], "parks": [polygon...], "water": [polygon...],
"labels": [{"text", "at": [lon, lat], "angle": degrees, "kind": "water|park|area|street"}...],
"nodes": [[lon, lat]...], "edges": [[a, b, class]...]} with polygon = [[lon, lat]...], not closed; class 0 is a side
street, 1 an avenue or wide street, 2 a main road, 3 a shore highway.
"""
import json
import math
import sys
from pathlib import Path

M_LAT = 111_200.0  # Metres in a degree of latitude.
M_LON = 84_250.0  # Metres in a degree of longitude at 40.77 N.
CORNER = (-73.97310, 40.76450)  # 5th Avenue and 59th Street.
BEARING = math.radians(29.0)
STREET_M = 80.75
FOOT_M = 0.3048
# Feet from 5th Avenue, east positive.
AVENUES = {"12th": -5650, "11th": -4920, "10th": -4120, "9th": -3320, "8th": -2520, "7th": -1720, "6th": -920, "5th": 0,
           "Madison": 420, "Park": 830, "Lexington": 1240, "3rd": 1660, "2nd": 2270, "1st": 2920, "York": 3570}

ISLAND = [  # Clockwise from the Battery: the Hudson, Spuyten Duyvil, the Harlem and East rivers.
    (-74.0155, 40.7008), (-74.0187, 40.7040), (-74.0190, 40.7085), (-74.0170, 40.7165), (-74.0135, 40.7190),
    (-74.0118, 40.7290), (-74.0106, 40.7395), (-74.0098, 40.7480), (-74.0068, 40.7565), (-74.0022, 40.7625),
    (-73.9960, 40.7715), (-73.9895, 40.7810), (-73.9785, 40.7960), (-73.9708, 40.8062), (-73.9620, 40.8185),
    (-73.9545, 40.8300), (-73.9498, 40.8400), (-73.9475, 40.8505), (-73.9400, 40.8610), (-73.9335, 40.8690),
    (-73.9268, 40.8775), (-73.9190, 40.8765), (-73.9110, 40.8730), (-73.9135, 40.8640), (-73.9220, 40.8560),
    (-73.9290, 40.8450), (-73.9340, 40.8350), (-73.9340, 40.8275), (-73.9325, 40.8195), (-73.9335, 40.8130),
    (-73.9310, 40.8065), (-73.9275, 40.8015), (-73.9290, 40.7955), (-73.9365, 40.7885), (-73.9425, 40.7835),
    (-73.9418, 40.7765), (-73.9470, 40.7700), (-73.9510, 40.7655), (-73.9580, 40.7585), (-73.9640, 40.7520),
    (-73.9680, 40.7475), (-73.9712, 40.7425), (-73.9735, 40.7360), (-73.9715, 40.7275), (-73.9740, 40.7190),
    (-73.9768, 40.7112), (-73.9850, 40.7090), (-73.9920, 40.7092), (-73.9995, 40.7070), (-74.0060, 40.7030),
    (-74.0115, 40.7005)]
SHORES = [
    [  # New Jersey.
        (-74.0600, 40.6700), (-74.0440, 40.6860), (-74.0330, 40.7050), (-74.0320, 40.7180), (-74.0265, 40.7330),
        (-74.0230, 40.7480), (-74.0140, 40.7620), (-74.0020, 40.7760), (-73.9900, 40.7900), (-73.9760, 40.8080),
        (-73.9650, 40.8250), (-73.9560, 40.8450), (-73.9440, 40.8650), (-73.9330, 40.8850), (-73.9200, 40.9150),
        (-74.1400, 40.9150), (-74.1400, 40.6700)],
    [  # Brooklyn and Queens.
        (-74.0250, 40.6700), (-74.0180, 40.6790), (-74.0080, 40.6880), (-74.0000, 40.6970), (-73.9960, 40.7030),
        (-73.9880, 40.7050), (-73.9790, 40.7050), (-73.9720, 40.7020), (-73.9680, 40.7100), (-73.9640, 40.7200),
        (-73.9600, 40.7310), (-73.9590, 40.7400), (-73.9530, 40.7500), (-73.9450, 40.7590), (-73.9370, 40.7700),
        (-73.9340, 40.7790), (-73.9240, 40.7830), (-73.9120, 40.7900), (-73.8950, 40.7850), (-73.8700, 40.7800),
        (-73.8200, 40.7960), (-73.7700, 40.8050), (-73.7000, 40.8600), (-73.3000, 40.9200), (-73.3000, 40.6000),
        (-73.9000, 40.5750), (-74.0100, 40.5750), (-74.0350, 40.6150)],
    [  # The Bronx.
        (-73.8450, 41.2000), (-73.8700, 41.0000), (-73.9000, 40.9300), (-73.9170, 40.8900), (-73.9215, 40.8795),
        (-73.9110, 40.8762), (-73.9060, 40.8720),
        (-73.9095, 40.8630), (-73.9185, 40.8545), (-73.9255, 40.8440), (-73.9305, 40.8350), (-73.9302, 40.8270),
        (-73.9288, 40.8190), (-73.9295, 40.8125), (-73.9265, 40.8050), (-73.9150, 40.8010), (-73.9050, 40.8050),
        (-73.8900, 40.8050), (-73.8750, 40.8130), (-73.8500, 40.8080), (-73.8000, 40.8150), (-73.7700, 40.8700),
        (-73.6500, 40.9700), (-73.3000, 41.0800),
        (-73.3000, 41.2000)],
    [(-73.9615, 40.7495), (-73.9590, 40.7505), (-73.9480, 40.7630), (-73.9400, 40.7722), (-73.9412, 40.7728),
     (-73.9500, 40.7640)],  # Roosevelt Island.
    [(-73.9290, 40.7850), (-73.9230, 40.7845), (-73.9175, 40.7900), (-73.9220, 40.7990), (-73.9265, 40.7985)],
    [(-74.0230, 40.6850), (-74.0260, 40.6900), (-74.0175, 40.6935), (-74.0125, 40.6915)],  # Governors Island.
]
DOWNTOWN = [  # (class, points)
    (2, [(-74.0138, 40.7045), (-74.0120, 40.7085), (-74.0092, 40.7115), (-74.0070, 40.7136), (-74.0018, 40.7195),
         (-73.9968, 40.7255), (-73.9910, 40.7320), (-73.9907, 40.7345)]),  # Broadway to Union Square.
    (2, [(-74.0105, 40.7285), (-73.9968, 40.7253), (-73.9885, 40.7232), (-73.9750, 40.7196)]),  # Houston.
    (2, [(-74.0115, 40.7258), (-74.0055, 40.7225), (-74.0018, 40.7195), (-73.9960, 40.7163), (-73.9945, 40.7155)]),
    (2, [(-73.9972, 40.7195), (-73.9938, 40.7203), (-73.9880, 40.7185), (-73.9768, 40.7145)]),  # Kenmare, Delancey.
    (1, [(-74.0132, 40.7157), (-74.0070, 40.7136), (-74.0035, 40.7117)]),  # Chambers.
    (1, [(-74.0145, 40.7110), (-74.0092, 40.7103), (-74.0065, 40.7092), (-74.0030, 40.7060)]),  # Fulton.
    (1, [(-74.0138, 40.7085), (-74.0118, 40.7080), (-74.0086, 40.7060), (-74.0062, 40.7045)]),  # Wall Street.
    (1, [(-73.9975, 40.7135), (-73.9945, 40.7180), (-73.9918, 40.7260), (-73.9905, 40.7290)]),  # Bowery.
    (1, [(-74.0035, 40.7117), (-73.9975, 40.7135), (-73.9930, 40.7138), (-73.9768, 40.7130)]),  # East Broadway.
    (1, [(-74.0030, 40.7135), (-73.9995, 40.7180), (-73.9952, 40.7250), (-73.9912, 40.7300)]),  # Lafayette.
    (1, [(-74.0110, 40.7105), (-74.0078, 40.7160), (-74.0048, 40.7210), (-74.0028, 40.7270), (-73.9998, 40.7330)]),
    (1, [(-74.0090, 40.7165), (-74.0072, 40.7230), (-74.0065, 40.7300), (-74.0058, 40.7370), (-74.0022, 40.7397)]),
    (1, [(-74.0105, 40.7180), (-74.0098, 40.7260), (-74.0085, 40.7330), (-74.0070, 40.7400)]),  # Greenwich.
    (1, [(-73.9905, 40.7140), (-73.9898, 40.7190), (-73.9885, 40.7232)]),  # Allen.
    (1, [(-73.9898, 40.7140), (-73.9880, 40.7185), (-73.9858, 40.7225)]),  # Essex.
    (1, [(-73.9858, 40.7225), (-73.9812, 40.7290)]),  # Avenue A.
    (1, [(-73.9818, 40.7213), (-73.9770, 40.7275)]),  # Avenue C.
    (1, [(-73.9885, 40.7232), (-73.9827, 40.7310)]),  # 1st Avenue below 14th.
    (1, [(-73.9914, 40.7240), (-73.9857, 40.7322)]),  # 2nd Avenue below 14th.
    (1, [(-73.9905, 40.7290), (-73.9878, 40.7330)]),  # 3rd Avenue below 14th.
    (1, [(-73.9970, 40.7313), (-73.9940, 40.7359)]),  # 5th Avenue below 14th.
    (1, [(-74.0048, 40.7210), (-74.0020, 40.7310), (-73.9968, 40.7372)]),  # 6th Avenue below 14th.
    (1, [(-74.0065, 40.7235), (-74.0052, 40.7290), (-74.0032, 40.7345), (-74.0003, 40.7382)]),  # Varick, 7th Ave South.
    (1, [(-74.0060, 40.7338), (-74.0000, 40.7325), (-73.9970, 40.7313), (-73.9928, 40.7300), (-73.9870, 40.7275),
         (-73.9770, 40.7232)]),  # 8th Street, St Marks.
    (1, [(-74.0100, 40.7300), (-74.0030, 40.7300), (-73.9985, 40.7290), (-73.9945, 40.7283)]),  # Bleecker.
    (0, [(-74.0108, 40.7225), (-74.0055, 40.7240), (-73.9988, 40.7225), (-73.9945, 40.7210)]),  # Spring.
    (0, [(-74.0100, 40.7195), (-74.0045, 40.7170), (-73.9995, 40.7155)]),  # Franklin, White.
    (0, [(-74.0080, 40.7258), (-73.9985, 40.7240), (-73.9935, 40.7225)]),  # Prince.
    (0, [(-73.9920, 40.7180), (-73.9890, 40.7168), (-73.9820, 40.7145)]),  # Grand.
    (0, [(-73.9913, 40.7215), (-73.9868, 40.7203), (-73.9800, 40.7183)]),  # Rivington.
    (0, [(-74.0130, 40.7060), (-74.0100, 40.7048), (-74.0078, 40.7035)]),  # Beaver.
    (0, [(-74.0115, 40.7135), (-74.0092, 40.7127), (-74.0070, 40.7110)]),  # Barclay.
    (0, [(-73.9900, 40.7273), (-73.9820, 40.7240), (-73.9770, 40.7215)]),  # 4th Street.
]
BROADWAY = [(-73.9907, 40.7345), (-73.9895, 40.7410), (-73.9878, 40.7495), (-73.9868, 40.7560), (-73.9840, 40.7620),
            (-73.9819, 40.7681), (-73.9820, 40.7785), (-73.9800, 40.7835), (-73.9722, 40.7940), (-73.9665, 40.8045),
            (-73.9585, 40.8155), (-73.9510, 40.8250), (-73.9460, 40.8335), (-73.9390, 40.8430), (-73.9350, 40.8510),
            (-73.9290, 40.8610), (-73.9215, 40.8670), (-73.9130, 40.8722)]
UPTOWN = [  # Above 125th Street, where the grid thins out.
    (1, [(-73.9537, 40.8240), (-73.9445, 40.8205), (-73.9345, 40.8165)]),  # 138th-145th Street.
    (1, [(-73.9465, 40.8335), (-73.9400, 40.8305), (-73.9350, 40.8290)]),  # 155th Street.
    (1, [(-73.9430, 40.8500), (-73.9350, 40.8490), (-73.9295, 40.8468)]),  # 181st Street.
    (1, [(-73.9410, 40.8420), (-73.9385, 40.8410), (-73.9345, 40.8385)]),  # 168th Street.
    (1, [(-73.9320, 40.8670), (-73.9265, 40.8640), (-73.9215, 40.8610)]),  # Dyckman Street.
    (1, [(-73.9215, 40.8680), (-73.9155, 40.8650), (-73.9140, 40.8643)]),  # 207th Street.
    (1, [(-73.9445, 40.8205), (-73.9405, 40.8290), (-73.9395, 40.8310), (-73.9370, 40.8400), (-73.9295, 40.8520),
         (-73.9235, 40.8605), (-73.9155, 40.8670)]),  # St Nicholas, Amsterdam and 10th Avenue.
    (1, [(-73.9545, 40.8110), (-73.9480, 40.8220), (-73.9465, 40.8260), (-73.9400, 40.8380), (-73.9385, 40.8410)]),
]
HUDSON = [(-74.0148, 40.7040), (-74.0158, 40.7085), (-74.0132, 40.7157), (-74.0115, 40.7258), (-74.0098, 40.7340),
          (-74.0088, 40.7410), (-74.0082, 40.7480), (-74.0050, 40.7565), (-74.0005, 40.7625), (-73.9948, 40.7710),
          (-73.9880, 40.7810), (-73.9770, 40.7960), (-73.9693, 40.8062), (-73.9605, 40.8185), (-73.9530, 40.8300),
          (-73.9482, 40.8400), (-73.9455, 40.8505), (-73.9385, 40.8605), (-73.9320, 40.8670)]
EAST_RIVER = [(-74.0148, 40.7040), (-74.0112, 40.7018), (-74.0062, 40.7045), (-73.9995, 40.7080), (-73.9920, 40.7102),
              (-73.9850, 40.7102), (-73.9780, 40.7125), (-73.9755, 40.7190), (-73.9735, 40.7275), (-73.9752, 40.7360),
              (-73.9730, 40.7425), (-73.9698, 40.7475), (-73.9655, 40.7528), (-73.9595, 40.7590), (-73.9525, 40.7660),
              (-73.9487, 40.7703), (-73.9440, 40.7765), (-73.9445, 40.7832), (-73.9385, 40.7890), (-73.9308, 40.7955),
              (-73.9298, 40.8010), (-73.9330, 40.8065), (-73.9355, 40.8130), (-73.9345, 40.8195), (-73.9360, 40.8275),
              (-73.9358, 40.8350), (-73.9305, 40.8455), (-73.9235, 40.8560), (-73.9150, 40.8640)]


def metres(p):
    return ((p[0] - CORNER[0]) * M_LON, (p[1] - CORNER[1]) * M_LAT)


def degrees(p):
    return (CORNER[0] + p[0] / M_LON, CORNER[1] + p[1] / M_LAT)


def grid(street, feet):
    """The corner of a numbered street and a line `feet` east of 5th Avenue, in metres from CORNER."""
    up, across = (street - 59) * STREET_M, feet * FOOT_M
    return (up * math.sin(BEARING) + across * math.cos(BEARING), up * math.cos(BEARING) - across * math.sin(BEARING))


def inside(point, polygon):
    x, y = point
    odd = False
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1]):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
    return odd


def crossing(a, b, c, d):
    """Where segments ab and cd cross, as the fractions (along ab, along cd), or None."""
    rx, ry, sx, sy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    cross = rx * sy - ry * sx
    if abs(cross) < 1e-6:
        return None
    t = ((c[0] - a[0]) * sy - (c[1] - a[1]) * sx) / cross
    u = ((c[0] - a[0]) * ry - (c[1] - a[1]) * rx) / cross
    return (t, u) if -1e-9 <= t <= 1 + 1e-9 and -1e-9 <= u <= 1 + 1e-9 else None


def at(a, b, t):
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)


def clip(line, keep):
    """The parts of a polyline, sampled every 10 m, for which keep(point) holds."""
    parts, part = [], []
    for a, b in zip(line, line[1:]):
        steps = max(1, int(math.dist(a, b) / 10))
        for i in range(steps + 1):
            p = at(a, b, i / steps)
            if keep(p):
                if not part:
                    part = [p]
                elif i == steps or len(part) == 1:
                    part.append(p)
                else:
                    part[-1] = p
            elif len(part) > 1:
                parts.append(part)
                part = []
            else:
                part = []
    return parts + [part] if len(part) > 1 else parts


def park_polygon():
    return [grid(59.0, AVENUES["8th"] + 60), grid(110.0, AVENUES["8th"] + 60), grid(110.0, -50), grid(59.0, -50)]


def street_lines():
    """Every street as (class, polyline in metres)."""
    west, east = [metres(p) for p in HUDSON], [metres(p) for p in EAST_RIVER]
    between = west + east[::-1]
    park = [grid(59.05, AVENUES["8th"] + 30), grid(109.95, AVENUES["8th"] + 30), grid(109.95, -30), grid(59.05, -30)]
    allowed = lambda p: inside(p, between) and not inside(p, park)
    lines = [(3, west), (3, east), (2, [metres(p) for p in BROADWAY])]
    lines += [(c, [metres(p) for p in points]) for c, points in DOWNTOWN + UPTOWN]
    for name, feet in AVENUES.items():
        first, last = {"Madison": (23, 137), "Lexington": (21, 131), "Park": (17, 132), "York": (53, 92),
                       "5th": (14, 138),
                       "12th": (33, 59), "11th": (20, 106), "10th": (15, 128), "9th": (14, 110), "8th": (14, 141),
                       "7th": (14, 143)}.get(name, (14, 126))
        if name == "6th":
            lines += [(1, [grid(14, feet), grid(59, feet)]), (1, [grid(110, feet), grid(141, feet)])]
            continue
        if name == "7th":
            lines += [(1, [grid(14, feet), grid(59, feet)]), (1, [grid(110, feet), grid(143, feet)])]
            continue
        lines += [(1, part) for part in clip([grid(first, feet), grid(last, feet)], allowed)]
    wide = {14, 23, 34, 42, 57, 59, 72, 79, 86, 96, 106, 110, 116, 125, 135}
    for street in range(14, 136):
        line = [grid(street, -7500), grid(street, 5500)]
        lines += [(1 if street in wide else 0, part) for part in clip(line, allowed)]
    for street in (65.5, 79.5, 85.5, 97.0):  # The transverse roads through the park.
        south = street - 0.8
        lines.append((1, [grid(round(street), AVENUES["8th"] + 30), grid(south, -1300), grid(round(street), 0)]))
    return lines


def extend(line, by=45.0):
    """The polyline with both ends drawn out, so that it meets the street it ends at."""
    def past(a, b):
        length = math.dist(a, b) or 1.0
        return (b[0] + (b[0] - a[0]) / length * by, b[1] + (b[1] - a[1]) / length * by)
    return [past(line[1], line[0])] + line[1:-1] + [past(line[-2], line[-1])]


def cut(lines):
    """Cuts lines at their crossings: [(class, [point...])], dead ends shorter than an extension dropped."""
    stretched = [(c, extend(line)) for c, line in lines]
    segments = [(i, j, a, b) for i, (_, line) in enumerate(stretched) for j, (a, b) in enumerate(zip(line, line[1:]))]
    hits = {}
    for n, (i, j, a, b) in enumerate(segments):
        for k, l, c, d in segments[n + 1:]:
            if i == k or max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]):
                continue
            found = crossing(a, b, c, d)
            if found:
                hits.setdefault((i, j), []).append(found[0])
                hits.setdefault((k, l), []).append(found[1])
    pieces = []
    for i, (road, line) in enumerate(stretched):
        marks = [(j + t, True) for j in range(len(line) - 1) for t in hits.get((i, j), [])]
        if not marks:
            continue
        first, last = min(marks)[0], max(marks)[0]
        marks += [(float(j), False) for j in range(len(line)) if first < j < last]
        ordered = [at(line[min(int(m), len(line) - 2)], line[min(int(m), len(line) - 2) + 1],
                      m - min(int(m), len(line) - 2)) for m, _ in sorted(marks)]
        pieces.append((road, ordered))
    return pieces


def graph(pieces, join_m=18.0):
    """Nodes (points nearer than join_m are one) and edges [a, b, class], the largest connected part."""
    nodes, cells, edges = [], {}, {}

    def node(p):
        cell = (int(p[0] // join_m), int(p[1] // join_m))
        near = [n for dx in (-1, 0, 1) for dy in (-1, 0, 1) for n in cells.get((cell[0] + dx, cell[1] + dy), [])
                if math.dist(nodes[n], p) < join_m]
        if near:
            return min(near, key=lambda n: math.dist(nodes[n], p))
        nodes.append(p)
        cells.setdefault(cell, []).append(len(nodes) - 1)
        return len(nodes) - 1

    for road, points in sorted(pieces, key=lambda piece: -piece[0]):
        ids = [node(p) for p in points]
        for a, b in zip(ids, ids[1:]):
            if a != b:
                edges.setdefault((min(a, b), max(a, b)), road)
    links = {}
    for a, b in edges:
        links.setdefault(a, []).append(b)
        links.setdefault(b, []).append(a)
    best, seen = [], set()
    for start in links:
        if start in seen:
            continue
        part, todo = [], [start]
        seen.add(start)
        while todo:
            n = todo.pop()
            part.append(n)
            fresh = [m for m in links[n] if m not in seen]
            seen.update(fresh)
            todo += fresh
        best = max(best, part, key=len)
    number = {n: i for i, n in enumerate(sorted(best))}
    kept = sorted([number[a], number[b], road] for (a, b), road in edges.items() if a in number)
    return [nodes[n] for n in sorted(best)], kept


def rounded(points):
    return [[round(x, 5), round(y, 5)] for x, y in points]


def labels():
    along = 61.0  # The avenues' slope on the map, degrees from the horizontal, counter-clockwise.
    texts = [("Hudson River", (-73.9985, 40.7815), along, "water"),
             ("East River", (-73.9635, 40.7345), along + 20, "water"),
             ("Upper Bay", (-74.0290, 40.6960), 0, "water"), ("Harlem River", (-73.9318, 40.8238), 90, "water"),
             ("Central Park", degrees(grid(84.5, -1230)), along, "park"),
             ("Midtown", degrees(grid(50, -450)), 0, "area"),
             ("Chelsea", degrees(grid(22, -2900)), 0, "area"), ("Upper West Side", degrees(grid(84, -3300)), 0, "area"),
             ("Upper East Side", degrees(grid(76, 1700)), 0, "area"), ("Harlem", degrees(grid(122, -200)), 0, "area"),
             ("East Village", (-73.9838, 40.7270), 0, "area"), ("SoHo", (-74.0010, 40.7232), 0, "area"),
             ("Financial District", (-74.0100, 40.7073), 0, "area"),
             ("Washington Heights", (-73.9388, 40.8440), 0, "area"),
             ("New Jersey", (-74.0400, 40.7700), 0, "area"), ("Brooklyn", (-73.9650, 40.6930), 0, "area"),
             ("Queens", (-73.9200, 40.7520), 0, "area"), ("The Bronx", (-73.9000, 40.8400), 0, "area")]
    for name, street in (("12th", 47), ("10th", 45), ("8th", 38), ("7th", 30), ("5th", 46), ("Madison", 64),
                         ("Park", 55),
                         ("3rd", 66), ("1st", 58), ("York", 74)):
        title = f"{name} Ave" if name != "York" else "York Ave"
        texts.append((title, degrees(grid(street, AVENUES[name])), along, "street"))
    for street, feet in ((14, 500), (23, -1300), (34, 1000), (42, -2100), (57, 1000), (72, 2000), (86, 1400),
                         (96, 2000),
                         (110, 1000), (125, 1000)):
        suffix = {1: "st", 2: "nd", 3: "rd"}.get(street % 10 if street not in (11, 12, 13) else 0, "th")
        texts.append((f"{street}{suffix} St", degrees(grid(street, feet)), along - 90, "street"))
    texts += [("Broadway", (-73.9765, 40.7888), along, "street"), ("Houston St", (-73.9930, 40.7244), -15, "street"),
              ("Canal St", (-74.0036, 40.7211), -40, "street"), ("Delancey St", (-73.9840, 40.7172), -20, "street")]
    return [{"text": t, "at": rounded([p])[0], "angle": a, "kind": k} for t, p, a, k in texts]


def main():
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "examples/cabs/streets.json"
    nodes, edges = graph(cut(street_lines()))
    parks = [[degrees(p) for p in park_polygon()],
             [(-74.0165, 40.7025), (-74.0172, 40.7048), (-74.0145, 40.7052), (-74.0138, 40.7022)],
             [(-73.9995, 40.7310), (-73.9982, 40.7318), (-73.9958, 40.7306), (-73.9970, 40.7297)],
             [(-73.9828, 40.7262), (-73.9812, 40.7284), (-73.9790, 40.7274), (-73.9806, 40.7252)],
             [(-73.9345, 40.8690), (-73.9275, 40.8765), (-73.9225, 40.8750), (-73.9268, 40.8690), (-73.9300, 40.8670)],
             [(-73.9400, 40.8570), (-73.9370, 40.8620), (-73.9340, 40.8660), (-73.9318, 40.8655), (-73.9365, 40.8575)]]
    reservoir = [grid(s, f) for s, f in ((86.4, -2000), (90, -2150), (95, -1950), (96, -1200), (94.5, -500), (90, -350),
                                         (86.6, -550), (86, -1200))]
    lake = [grid(s, f) for s, f in ((73, -2050), (75.5, -2200), (77.5, -1800), (75, -1400), (73.2, -1300), (74, -1700))]
    water = [[degrees(p) for p in reservoir], [degrees(p) for p in lake]]
    document = {"name": "Manhattan", "attribution": "Outline drawn for Headrace; not for navigation",
                "outline": [rounded(p) for p in [ISLAND] + SHORES], "parks": [rounded(p) for p in parks],
                "water": [rounded(p) for p in water], "labels": labels(),
                "nodes": rounded(degrees(p) for p in nodes), "edges": edges}
    target.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{target}: {len(nodes)} nodes, {len(edges)} edges, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
