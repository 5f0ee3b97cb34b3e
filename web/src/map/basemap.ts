// Draws the bundled outline: land, parks, water, streets and their names.
import { cssColor } from "../theme";
import { type Box, mercatorX, mercatorY, type View } from "./projection";

type LonLat = [number, number];

export interface BasemapFile {
  name: string;
  outline: LonLat[][];
  parks: LonLat[][];
  water: LonLat[][];
  labels: { text: string; at: LonLat; angle: number; kind: "water" | "park" | "area" | "street" }[];
  nodes: LonLat[];
  edges: [number, number, number][];
}

/** Paths are in pixels of this zoom around an origin near them: single precision would not do for the whole world. */
const kPathScale = 256 * 2 ** 14;
const kStreetClasses = 4;
/** The zoom from which on a class of street is drawn, and its width in pixels there. */
const kStreetZoom = [13.2, 11.2, 10.5, 10.5];
const kStreetWidth = [0.8, 1.1, 1.6, 1.6];
const kLabelFont = { water: "italic 600 11px", park: "600 11px", area: "600 11px", street: "500 10px" };
const kLabelZoom = { water: 11, park: 12, area: 12.2, street: 13.6 };

export class Basemap {
  readonly box: Box;
  private readonly originX: number;
  private readonly originY: number;
  private readonly land: Path2D;
  private readonly parks: Path2D;
  private readonly water: Path2D;
  private readonly streets: Path2D[];

  constructor(private readonly file: BasemapFile) {
    const xs = file.nodes.map(([lon]) => mercatorX(lon));
    const ys = file.nodes.map(([, lat]) => mercatorY(lat));
    this.box = { minX: Math.min(...xs), maxX: Math.max(...xs), minY: Math.min(...ys), maxY: Math.max(...ys) };
    this.originX = this.box.minX;
    this.originY = this.box.minY;
    this.land = this.polygons(file.outline);
    this.parks = this.polygons(file.parks);
    this.water = this.polygons(file.water);
    this.streets = Array.from({ length: kStreetClasses }, (_, road) => this.lines(road));
  }

  /** Whether the view shows any of it. */
  visible(view: View): boolean {
    const topLeft = view.toWorld(0, 0);
    const bottomRight = view.toWorld(view.width, view.height);
    return (
      view.zoom > 8 &&
      topLeft.x < this.box.maxX &&
      bottomRight.x > this.box.minX &&
      topLeft.y < this.box.maxY &&
      bottomRight.y > this.box.minY
    );
  }

  /** Draws onto a canvas whose pixels are `ratio` to one of the view. */
  draw(context: CanvasRenderingContext2D, view: View, ratio: number): void {
    const zoomed = view.scale / kPathScale;
    const dx = view.toScreenX(this.originX);
    const dy = view.toScreenY(this.originY);
    context.setTransform(ratio * zoomed, 0, 0, ratio * zoomed, ratio * dx, ratio * dy);
    context.lineJoin = "round";
    context.lineCap = "round";
    context.fillStyle = cssColor("--map-land");
    context.fill(this.land);
    context.strokeStyle = cssColor("--map-shore");
    context.lineWidth = 1 / zoomed;
    context.stroke(this.land);
    context.fillStyle = cssColor("--map-park");
    context.fill(this.parks);
    context.fillStyle = cssColor("--map-water");
    context.fill(this.water);
    this.streets.forEach((path, road) => {
      const width = kStreetWidth[road]! * Math.max(0.7, Math.min(6, 2 ** ((view.zoom - 13) * 0.65)));
      if (view.zoom < kStreetZoom[road]!) return;
      context.strokeStyle = cssColor(`--map-street-${road}`);
      context.lineWidth = width / zoomed;
      context.stroke(path);
    });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawLabels(context, view);
  }

  private drawLabels(context: CanvasRenderingContext2D, view: View): void {
    context.textAlign = "center";
    context.textBaseline = "middle";
    const family = getComputedStyle(document.body).fontFamily;
    const taken: { x: number; y: number; r: number }[] = [];
    for (const label of this.file.labels) {
      if (view.zoom < kLabelZoom[label.kind]) continue;
      const x = view.toScreenX(mercatorX(label.at[0]));
      const y = view.toScreenY(mercatorY(label.at[1]));
      const r = label.text.length * 3.2;
      if (taken.some((other) => Math.abs(other.x - x) < other.r + r && Math.abs(other.y - y) < 16)) continue;
      taken.push({ x, y, r });
      context.save();
      context.translate(x, y);
      context.rotate((-label.angle * Math.PI) / 180);
      context.font = `${kLabelFont[label.kind]} ${family}`;
      context.lineWidth = 3;
      context.strokeStyle = cssColor(label.kind === "water" ? "--map-water" : "--map-land");
      if (label.kind !== "park") context.strokeText(label.text, 0, 0);
      context.fillStyle = cssColor(`--map-label-${label.kind}`);
      context.fillText(label.text, 0, 0);
      context.restore();
    }
  }

  private point([lon, lat]: LonLat): [number, number] {
    return [(mercatorX(lon) - this.originX) * kPathScale, (mercatorY(lat) - this.originY) * kPathScale];
  }

  private polygons(polygons: LonLat[][]): Path2D {
    const path = new Path2D();
    for (const polygon of polygons) {
      polygon.forEach((corner, index) =>
        index === 0 ? path.moveTo(...this.point(corner)) : path.lineTo(...this.point(corner)),
      );
      path.closePath();
    }
    return path;
  }

  private lines(road: number): Path2D {
    const path = new Path2D();
    for (const [a, b, kind] of this.file.edges) {
      if (kind !== road) continue;
      path.moveTo(...this.point(this.file.nodes[a]!));
      path.lineTo(...this.point(this.file.nodes[b]!));
    }
    return path;
  }
}

/** A grid of degrees where there is no basemap, so that a position still says something. */
export function drawGraticule(
  context: CanvasRenderingContext2D,
  view: View,
  lon: (x: number) => number,
  lat: (y: number) => number,
): void {
  const steps = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
  const step = steps.find((candidate) => (candidate / 360) * view.scale < 180) ?? 0.001;
  const from = view.toWorld(0, view.height);
  const to = view.toWorld(view.width, 0);
  const decimals = Math.max(0, -Math.floor(Math.log10(step)));
  context.strokeStyle = cssColor("--map-grid");
  context.fillStyle = cssColor("--map-label-street");
  context.font = `10px ${getComputedStyle(document.body).fontFamily}`;
  context.lineWidth = 1;
  context.textAlign = "left";
  context.textBaseline = "bottom";
  context.beginPath();
  for (let at = Math.ceil(lon(from.x) / step) * step; at < lon(to.x); at += step) {
    const x = Math.round(view.toScreenX(mercatorX(at))) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, view.height);
    context.fillText(`${at.toFixed(decimals)}°`, x + 4, view.height - 4);
  }
  for (let at = Math.ceil(lat(from.y) / step) * step; at < lat(to.y); at += step) {
    const y = Math.round(view.toScreenY(mercatorY(at))) + 0.5;
    context.moveTo(0, y);
    context.lineTo(view.width, y);
    context.fillText(`${at.toFixed(decimals)}°`, 6, y - 3);
  }
  context.stroke();
}
