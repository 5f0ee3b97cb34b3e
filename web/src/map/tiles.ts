// Raster tiles of a server that the configuration names; nothing is asked of any server without one.
import { kTilePixels, type View } from "./projection";

const kTilesKept = 256;
const kTileZoomMax = 19;

export class Tiles {
  private readonly images = new Map<string, HTMLImageElement>();

  /** `template`: a URL with {z}, {x} and {y}; `loaded` is called when a tile has come. */
  constructor(
    private readonly template: string,
    private readonly loaded: () => void,
  ) {}

  draw(context: CanvasRenderingContext2D, view: View): void {
    const zoom = Math.max(0, Math.min(kTileZoomMax, Math.round(view.zoom)));
    const count = 2 ** zoom;
    const size = view.scale / count;
    const from = view.toWorld(0, 0);
    const to = view.toWorld(view.width, view.height);
    for (let x = Math.max(0, Math.floor(from.x * count)); x <= Math.min(count - 1, Math.floor(to.x * count)); ++x) {
      for (
        let y = Math.max(0, Math.floor(from.y * count));
        y <= Math.min(count - 1, Math.floor(to.y * count));
        ++y
      ) {
        const image = this.image(zoom, x, y);
        if (!image.complete || image.naturalWidth === 0) continue;
        context.drawImage(
          image,
          view.toScreenX(x / count),
          view.toScreenY(y / count),
          size + kTilePixels / 1024,
          size + kTilePixels / 1024,
        );
      }
    }
  }

  private image(zoom: number, x: number, y: number): HTMLImageElement {
    const url = this.template.replace("{z}", String(zoom)).replace("{x}", String(x)).replace("{y}", String(y));
    let image = this.images.get(url);
    if (image) {
      this.images.delete(url);
    } else {
      image = new Image();
      image.onload = this.loaded;
      image.src = url;
    }
    this.images.set(url, image);
    const oldest = this.images.keys().next().value;
    if (this.images.size > kTilesKept && oldest !== undefined) this.images.delete(oldest);
    return image;
  }
}
