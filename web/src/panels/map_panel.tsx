import { useEffect, useRef, useState } from "preact/hooks";
import { formatName, formatTime, formatValue } from "../format";
import { Basemap, type BasemapFile } from "../map/basemap";
import { MapView } from "../map/map_view";
import type { Devices } from "../model/devices";
import type { PanelDefinition } from "../model/protocol";
import type { MapState, Store } from "../model/store";
import { useChanges, useJson, useThemeVersion } from "../view/hooks";
import { PanelFrame } from "../view/panel";

interface Props {
  store: Store;
  index: number;
  panel: PanelDefinition;
}

export function MapPanel({ store, index, panel }: Props) {
  const devices = (store.states[index] as MapState).devices;
  const host = useRef<HTMLDivElement>(null);
  const map = useRef<MapView | null>(null);
  const theme = useThemeVersion();
  const basemapName = String(panel.options.basemap ?? "none");
  const basemap = useJson<BasemapFile>(basemapName === "none" ? null : `/api/v1/basemaps/${basemapName}`, 0);
  useChanges(store, index);
  useChanges(store, "shell");

  useEffect(() => {
    const made = new MapView(host.current!, {
      devices,
      tiles: String(panel.options.tiles ?? ""),
      onSelect: (id) => store.select(id),
    });
    map.current = made;
    return () => made.destroy();
  }, [store]);
  useEffect(() => {
    if (basemap) map.current?.setBasemap(new Basemap(basemap));
  }, [basemap]);
  useEffect(() => map.current?.redraw(), [theme]);
  useEffect(() => {
    if (!map.current || map.current.selected === store.selected) return;
    map.current.selected = store.selected;
    if (store.selected !== null && devices.find(store.selected)) map.current.show(store.selected);
  }, [store.selected]);

  const title = String(panel.options.title ?? "Map");
  return (
    <PanelFrame title={title} kind="map" aside={<FindDevice store={store} ids={() => devices.ids()} />}>
      <div class="map" data-total={devices.total}>
        <div
          class="map-canvas"
          ref={host}
          tabIndex={0}
          role="application"
          aria-label={`${title}: ${devices.total} devices. Arrow keys move, plus and minus zoom, zero shows all.`}
        />
        <div class="map-tools">
          <button type="button" aria-label="Zoom in" onClick={() => map.current?.zoomBy(0.7)}>
            +
          </button>
          <button type="button" aria-label="Zoom out" onClick={() => map.current?.zoomBy(-0.7)}>
            −
          </button>
          <button
            type="button"
            aria-label="Show all devices"
            title="Show all devices"
            onClick={() => map.current?.fit()}
          >
            <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
              <path
                d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"
                fill="none"
                stroke="currentColor"
                stroke-width="1.6"
              />
            </svg>
          </button>
        </div>
        <Legend devices={devices} />
        {store.selected !== null && (
          <DeviceCard
            store={store}
            index={index}
            id={store.selected}
            fields={(panel.options.detail as string[]) ?? []}
          />
        )}
      </div>
    </PanelFrame>
  );
}

function Legend({ devices }: { devices: Devices }) {
  return (
    <ul class="map-legend" aria-label="Devices by status">
      {devices.byStatus().map(({ status, count, rank }) => (
        <li key={status}>
          <span class="swatch" style={{ background: `var(--series-${rank % 8})` }} />
          {formatName(status)} <b>{count}</b>
        </li>
      ))}
      <li>
        All <b data-testid="device-total">{devices.total}</b>
      </li>
    </ul>
  );
}

function FindDevice({ store, ids }: { store: Store; ids: () => string[] }) {
  const [text, setText] = useState("");
  const [options, setOptions] = useState<string[]>([]);
  const choose = (value: string) => {
    setText(value);
    setOptions(
      value === ""
        ? []
        : ids()
            .filter((id) => id.includes(value))
            .slice(0, 12),
    );
    if (ids().includes(value)) store.select(value);
  };
  return (
    <form
      class="find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const [only] = options;
        if (only !== undefined) choose(only);
      }}
    >
      <input
        type="search"
        list="device-ids"
        placeholder="Find a device"
        aria-label="Find a device"
        value={text}
        onInput={(event) => choose(event.currentTarget.value)}
      />
      <datalist id="device-ids">
        {options.map((id) => (
          <option key={id} value={id} />
        ))}
      </datalist>
    </form>
  );
}

type Fields = Record<string, unknown>;

function DeviceCard({ store, index, id, fields }: { store: Store; index: number; id: string; fields: string[] }) {
  const url = `/api/v1/dashboards/${encodeURIComponent(store.dashboard.name)}/panels/${index}/devices/${encodeURIComponent(id)}`;
  const record = useLatest(useJson<Fields>(url, 1000), id);
  const names = fields.length > 0 ? fields : Object.keys(record ?? {});
  return (
    <aside class="device-card" aria-label={`Device ${id}`}>
      <header>
        <b>{id}</b>
        <button type="button" aria-label="Close" onClick={() => store.select(null)}>
          ×
        </button>
      </header>
      {record === null ? (
        <p class="muted">No record yet</p>
      ) : (
        <dl>
          {names
            .filter((name) => name in record)
            .map((name) => (
              <div key={name}>
                <dt>{formatName(name)}</dt>
                <dd data-field={name}>{show(record[name])}</dd>
              </div>
            ))}
        </dl>
      )}
    </aside>
  );
}

/** The newest value that was there, so that the card does not blink while the next one is asked for. */
function useLatest(value: Fields | null, id: string): Fields | null {
  const kept = useRef<{ id: string; value: Fields | null }>({ id, value: null });
  if (kept.current.id !== id) kept.current = { id, value: null };
  if (value !== null) kept.current.value = value;
  return kept.current.value;
}

function show(value: unknown): string {
  if (typeof value === "number") return showNumber(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Whole numbers in the range of today's milliseconds since 1970 are read as a time. */
function showNumber(value: number): string {
  if (Number.isInteger(value)) return value > 1e12 && value < 4e12 ? formatTime(value) : String(value);
  return Math.abs(value) > 1000 ? String(value) : detailed(value);
}

function detailed(value: number): string {
  const text = String(value);
  return text.length <= 9 ? text : formatValue(value);
}
