// Web Mercator (EPSG:3857) in units of the world's width: x grows east from 0 to 1, y south from 0 to 1.

export const kLatMax = 85.0511;

export function mercatorX(lon: number): number {
  return (lon + 180) / 360;
}

export function mercatorY(lat: number): number {
  const clamped = Math.max(-kLatMax, Math.min(kLatMax, lat));
  return 0.5 - Math.log(Math.tan(Math.PI / 4 + (clamped * Math.PI) / 360)) / (2 * Math.PI);
}

export function longitude(x: number): number {
  return x * 360 - 180;
}

export function latitude(y: number): number {
  return (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) * 360) / Math.PI - 90;
}

export interface Box {
  minX: number;
  minY: number;
  maxX: number;
  maxY: number;
}

export const kTilePixels = 256;

/** What part of the world a map of width × height pixels shows. */
export class View {
  static readonly zoomMin = 1;
  static readonly zoomMax = 19;

  constructor(
    public x = 0.5,
    public y = 0.5,
    public zoom = 2,
    public width = 1,
    public height = 1,
  ) {}

  /** Pixels to the world's width. */
  get scale(): number {
    return kTilePixels * 2 ** this.zoom;
  }

  toScreenX(x: number): number {
    return (x - this.x) * this.scale + this.width / 2;
  }

  toScreenY(y: number): number {
    return (y - this.y) * this.scale + this.height / 2;
  }

  toWorld(screenX: number, screenY: number): { x: number; y: number } {
    return {
      x: (screenX - this.width / 2) / this.scale + this.x,
      y: (screenY - this.height / 2) / this.scale + this.y,
    };
  }

  panBy(dx: number, dy: number): void {
    this.x = Math.max(0, Math.min(1, this.x - dx / this.scale));
    this.y = Math.max(0, Math.min(1, this.y - dy / this.scale));
  }

  /** Zooms so that what is under the screen point stays there. */
  zoomAt(screenX: number, screenY: number, by: number): void {
    const fixed = this.toWorld(screenX, screenY);
    this.zoom = Math.max(View.zoomMin, Math.min(View.zoomMax, this.zoom + by));
    const moved = this.toWorld(screenX, screenY);
    this.x += fixed.x - moved.x;
    this.y += fixed.y - moved.y;
  }

  /** Shows all of `box` with `padding` pixels around it. */
  fit(box: Box, padding: number): void {
    this.x = (box.minX + box.maxX) / 2;
    this.y = (box.minY + box.maxY) / 2;
    const scaleX = Math.max(1, this.width - 2 * padding) / Math.max(1e-9, box.maxX - box.minX);
    const scaleY = Math.max(1, this.height - 2 * padding) / Math.max(1e-9, box.maxY - box.minY);
    const zoom = Math.log2(Math.min(scaleX, scaleY) / kTilePixels);
    this.zoom = Math.max(View.zoomMin, Math.min(17, zoom));
  }
}

/** The smallest box around points in world units without a share `outside` of them at each side. */
export function boxOf(points: { x: number; y: number }[], outside: number): Box | null {
  if (points.length === 0) return null;
  const at = (values: number[], share: number) => values[Math.round((values.length - 1) * share)] ?? 0;
  const xs = points.map((p) => p.x).sort((a, b) => a - b);
  const ys = points.map((p) => p.y).sort((a, b) => a - b);
  return { minX: at(xs, outside), maxX: at(xs, 1 - outside), minY: at(ys, outside), maxY: at(ys, 1 - outside) };
}
