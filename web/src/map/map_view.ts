// The map on two canvases: the ground, drawn when the view changes, and the devices, drawn as they move.
import { type Device, drawnAt, type Devices } from "../model/devices";
import { cssColor, isDark, seriesColor } from "../theme";
import { type Basemap, drawGraticule } from "./basemap";
import { attachGestures } from "./gestures";
import { boxOf, latitude, longitude, View } from "./projection";
import { Tiles } from "./tiles";

const kFrameMs = 33;
const kAlertMs = 60_000;
const kPickPixels = 14;
/** The share of devices at each side that the first view may leave out, for a closer look at where most are. */
const kFirstViewOutside = 0.06;
const kReducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

export interface MapViewOptions {
  devices: Devices;
  tiles: string;
  onSelect: (id: string | null) => void;
}

export class MapView {
  readonly view = new View();
  selected: string | null = null;
  private readonly ground: HTMLCanvasElement;
  private readonly overlay: HTMLCanvasElement;
  private basemap: Basemap | null = null;
  private readonly tiles: Tiles | null;
  private groundDirty = true;
  private fitted = false;
  private follow = false;
  private sprites: HTMLCanvasElement[] = [];
  private spriteKey = "";
  private drawnMs = 0;
  private request = 0;
  private readonly detach: () => void;
  private readonly resize: ResizeObserver;

  constructor(
    private readonly host: HTMLElement,
    private readonly options: MapViewOptions,
  ) {
    this.ground = host.appendChild(document.createElement("canvas"));
    this.overlay = host.appendChild(document.createElement("canvas"));
    this.overlay.dataset.layer = "devices";
    this.tiles = options.tiles ? new Tiles(options.tiles, () => this.redraw()) : null;
    this.detach = attachGestures(host, {
      pan: (dx, dy) => this.change(() => this.view.panBy(dx, dy)),
      zoom: (x, y, by) => this.change(() => this.view.zoomAt(x, y, by)),
      pick: (x, y) => this.options.onSelect(this.pick(x, y)?.id ?? null),
      reset: () => this.fit(),
    });
    this.resize = new ResizeObserver(() => {
      this.measure();  // Which clears what was drawn; the next frame would come too late.
      this.draw(performance.now());
    });
    this.resize.observe(host);
    this.measure();
    const loop = (now: number) => {
      this.request = requestAnimationFrame(loop);
      if (now - this.drawnMs >= kFrameMs) this.draw(now);
    };
    this.request = requestAnimationFrame(loop);
  }

  destroy(): void {
    cancelAnimationFrame(this.request);
    this.resize.disconnect();
    this.detach();
    this.host.replaceChildren();
  }

  setBasemap(basemap: Basemap): void {
    this.basemap = basemap;
    if (!this.fitted) this.view.fit(basemap.box, 12);
    this.redraw();
  }

  /** Draws the ground again: the colours changed, a tile came. */
  redraw(): void {
    this.groundDirty = true;
  }

  zoomBy(by: number): void {
    this.change(() => this.view.zoomAt(this.view.width / 2, this.view.height / 2, by));
  }

  /** Shows all devices, or the basemap while there are none. */
  fit(): void {
    this.fitted = true;
    this.fitShare(0);
  }

  /** Moves to a device and stays with it until the map is panned. */
  show(id: string): void {
    this.follow = true;
    if (this.view.zoom < 14) this.view.zoom = 14;
    this.selected = id;
    this.redraw();
  }

  private fitShare(outside: number): void {
    this.follow = false;
    const points = [...this.options.devices.bySlot.values()].map((device) => ({ x: device.toX, y: device.toY }));
    const target = boxOf(points, outside) ?? this.basemap?.box;
    if (target) this.view.fit(target, 24);
    this.redraw();
  }

  private change(action: () => void): void {
    this.follow = false;
    this.fitted = true;
    action();
    this.redraw();
  }

  private measure(): void {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.host.getBoundingClientRect();
    if (width === 0 || height === 0) return;
    this.view.width = width;
    this.view.height = height;
    for (const canvas of [this.ground, this.overlay]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    if (!this.fitted && this.basemap) this.view.fit(this.basemap.box, 12);
    this.redraw();
  }

  private draw(now: number): void {
    this.drawnMs = now;
    if (!this.fitted && this.options.devices.bySlot.size > 0) {
      this.fitted = true;
      this.fitShare(kFirstViewOutside);
    }
    const chosen = this.selected === null ? undefined : this.options.devices.find(this.selected);
    if (this.follow && chosen) {
      const at = drawnAt(chosen, now);
      this.view.x = at.x;
      this.view.y = at.y;
      this.groundDirty = true;
    }
    if (this.groundDirty) this.drawGround();
    this.drawDevices(now, chosen);
  }

  private drawGround(): void {
    this.groundDirty = false;
    const ratio = window.devicePixelRatio || 1;
    const context = this.ground.getContext("2d")!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const onBasemap = this.basemap?.visible(this.view) ?? false;
    context.fillStyle = cssColor(onBasemap ? "--map-water" : "--map-land");
    context.fillRect(0, 0, this.view.width, this.view.height);
    if (onBasemap && !this.tiles) this.basemap!.draw(context, this.view, ratio);
    if (!onBasemap) drawGraticule(context, this.view, longitude, latitude);
    this.tiles?.draw(context, this.view);
  }

  private drawDevices(now: number, chosen: Device | undefined): void {
    const ratio = window.devicePixelRatio || 1;
    const context = this.overlay.getContext("2d")!;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    const size =
      Math.max(7, Math.min(22, 7 + (this.view.zoom - 11) * 2.6)) * (this.options.devices.total > 3000 ? 0.75 : 1);
    this.prepareSprites(size, ratio);
    for (const device of this.options.devices.bySlot.values()) {
      const at = drawnAt(device, now);
      const x = this.view.toScreenX(at.x);
      const y = this.view.toScreenY(at.y);
      if (x < -30 || y < -30 || x > this.view.width + 30 || y > this.view.height + 30) continue;
      if (now - device.alertAt < kAlertMs) this.drawAlert(context, x, y, size, ratio, now);
      this.drawDevice(context, device, x, y, ratio);
    }
    if (chosen) this.drawChosen(context, chosen, now, size, ratio);
  }

  private drawDevice(context: CanvasRenderingContext2D, device: Device, x: number, y: number, ratio: number): void {
    const arrow = device.heading === null ? 0 : 1;
    const sprite = this.sprites[(device.status + 1) * 2 + arrow] ?? this.sprites[arrow]!;
    const turn = ((device.heading ?? 0) * Math.PI) / 180;
    const cos = Math.cos(turn);
    const sin = Math.sin(turn);
    context.setTransform(cos, sin, -sin, cos, x * ratio, y * ratio);
    context.drawImage(sprite, -sprite.width / 2, -sprite.height / 2);
  }

  private drawAlert(
    context: CanvasRenderingContext2D,
    x: number,
    y: number,
    size: number,
    ratio: number,
    now: number,
  ): void {
    const beat = kReducedMotion.matches ? 0.4 : (now % 1600) / 1600;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.strokeStyle = cssColorCached("--alert");
    context.lineWidth = 2;
    context.globalAlpha = 0.9 - 0.75 * beat;
    context.beginPath();
    context.arc(x, y, size * (0.65 + 0.6 * beat), 0, 2 * Math.PI);
    context.stroke();
    context.globalAlpha = 1;
  }

  private drawChosen(
    context: CanvasRenderingContext2D,
    device: Device,
    now: number,
    size: number,
    ratio: number,
  ): void {
    const at = drawnAt(device, now);
    const x = this.view.toScreenX(at.x);
    const y = this.view.toScreenY(at.y);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.strokeStyle = cssColorCached("--text");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, size * 0.95, 0, 2 * Math.PI);
    context.stroke();
    this.drawDevice(context, device, x, y, ratio);
  }

  /** One small picture per status and shape (dot, arrow), drawn again when size or colours change. */
  private prepareSprites(size: number, ratio: number): void {
    const count = this.options.devices.statuses.length + 1;
    const key = `${size.toFixed(1)} ${ratio} ${this.options.devices.ranks.join()} ${isDark()}`;
    if (key === this.spriteKey) return;
    this.spriteKey = key;
    colors.clear();
    this.sprites = [];
    for (let status = -1; status < count - 1; ++status) {
      const color = status < 0 ? cssColor("--accent") : seriesColor(this.options.devices.ranks[status] ?? 0);
      this.sprites.push(makeSprite(size * ratio, color, false), makeSprite(size * ratio, color, true));
    }
  }

  private pick(x: number, y: number): Device | undefined {
    const now = performance.now();
    let best: Device | undefined;
    let nearest = kPickPixels;
    for (const device of this.options.devices.bySlot.values()) {
      const at = drawnAt(device, now);
      const distance = Math.hypot(this.view.toScreenX(at.x) - x, this.view.toScreenY(at.y) - y);
      if (distance < nearest) {
        nearest = distance;
        best = device;
      }
    }
    return best;
  }
}

const colors = new Map<string, string>();
function cssColorCached(name: string): string {
  let color = colors.get(name);
  if (color === undefined) {
    color = cssColor(name);
    colors.set(name, color);
  }
  return color;
}

function makeSprite(size: number, color: string, arrow: boolean): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil(size * 1.5);
  const context = canvas.getContext("2d")!;
  context.translate(canvas.width / 2, canvas.height / 2);
  context.fillStyle = color;
  context.strokeStyle = cssColor("--map-device-edge");
  context.lineWidth = Math.max(1, size / 10);
  context.lineJoin = "round";
  context.beginPath();
  if (arrow) {
    context.moveTo(0, -size * 0.58);
    context.lineTo(size * 0.42, size * 0.5);
    context.lineTo(0, size * 0.26);
    context.lineTo(-size * 0.42, size * 0.5);
    context.closePath();
  } else {
    context.arc(0, 0, size * 0.36, 0, 2 * Math.PI);
  }
  context.stroke();
  context.fill();
  return canvas;
}
