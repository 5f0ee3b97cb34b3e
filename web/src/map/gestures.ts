// Pointer, wheel, touch and keyboard on a map.

export interface Gestures {
  pan(dx: number, dy: number): void;
  zoom(x: number, y: number, by: number): void;
  pick(x: number, y: number): void;
  reset(): void;
}

const kClickPixels = 4;
const kKeyPan = 80;

/** Listens on `host`; returns how to stop. */
export function attachGestures(host: HTMLElement, gestures: Gestures): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelled = 0;

  const place = (event: { clientX: number; clientY: number }) => {
    const box = host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return a && b ? { d: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : null;
  };

  const down = (event: PointerEvent) => {
    host.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    travelled = pointers.size > 1 ? Infinity : 0;
  };
  const move = (event: PointerEvent) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const old = spread();
    const at = place(event);
    pointers.set(event.pointerId, at);
    const fresh = spread();
    if (old && fresh) {
      gestures.pan(fresh.x - old.x, fresh.y - old.y);
      gestures.zoom(fresh.x, fresh.y, Math.log2(fresh.d / Math.max(1, old.d)));
    } else {
      travelled += Math.hypot(at.x - before.x, at.y - before.y);
      if (travelled > kClickPixels) gestures.pan(at.x - before.x, at.y - before.y);
    }
  };
  const up = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && travelled <= kClickPixels) {
      const at = place(event);
      gestures.pick(at.x, at.y);
    }
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const at = place(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    gestures.zoom(at.x, at.y, Math.max(-1, Math.min(1, (-event.deltaY * lines) / 300)));
  };
  const key = (event: KeyboardEvent) => {
    const box = host.getBoundingClientRect();
    const actions: Record<string, () => void> = {
      ArrowLeft: () => gestures.pan(kKeyPan, 0),
      ArrowRight: () => gestures.pan(-kKeyPan, 0),
      ArrowUp: () => gestures.pan(0, kKeyPan),
      ArrowDown: () => gestures.pan(0, -kKeyPan),
      "+": () => gestures.zoom(box.width / 2, box.height / 2, 0.5),
      "=": () => gestures.zoom(box.width / 2, box.height / 2, 0.5),
      "-": () => gestures.zoom(box.width / 2, box.height / 2, -0.5),
      "0": () => gestures.reset(),
    };
    const action = actions[event.key];
    if (!action || event.target !== host) return;
    event.preventDefault();
    action();
  };

  host.addEventListener("pointerdown", down);
  host.addEventListener("pointermove", move);
  host.addEventListener("pointerup", up);
  host.addEventListener("pointercancel", up);
  host.addEventListener("wheel", wheel, { passive: false });
  host.addEventListener("keydown", key);
  return () => {
    host.removeEventListener("pointerdown", down);
    host.removeEventListener("pointermove", move);
    host.removeEventListener("pointerup", up);
    host.removeEventListener("pointercancel", up);
    host.removeEventListener("wheel", wheel);
    host.removeEventListener("keydown", key);
  };
}
