import { formatCount, formatName, formatTime, formatValue } from "../format";
import type { PanelDefinition } from "../model/protocol";
import type { AlertsState, Store } from "../model/store";
import { useChanges } from "../view/hooks";
import { Empty, PanelFrame } from "../view/panel";

interface Props {
  store: Store;
  index: number;
  panel: PanelDefinition;
}

const kHues = 6;

export function AlertsPanel({ store, index, panel }: Props) {
  const alerts = (store.states[index] as AlertsState).alerts;
  useChanges(store, index);
  useChanges(store, "shell");
  return (
    <PanelFrame
      title={String(panel.options.title ?? "Alerts")}
      kind="alerts"
      aside={
        <span class="muted">
          <b>{formatCount(alerts.recent)}</b> in the last minute
        </span>
      }
    >
      {alerts.items.length === 0 ? (
        <Empty>No alerts</Empty>
      ) : (
        <ol class="alerts" aria-live="off">
          {alerts.items.map((alert) => (
            <li key={alert.n} class={alert.id === store.selected ? "chosen" : ""}>
              <button type="button" onClick={() => store.select(alert.id)} title={`Show ${alert.id} on the map`}>
                <time>{formatTime(alert.at)}</time>
                <span class={`badge hue-${hueOf(alert.kind)}`} title={alert.kind}>
                  {formatName(alert.kind) || "Alert"}
                </span>
                <span class="alert-id">{alert.id}</span>
                <span class="alert-value">{readable(alert.value)}</span>
              </button>
            </li>
          ))}
        </ol>
      )}
    </PanelFrame>
  );
}

function readable(value: string): string {
  const number = Number(value);
  return value !== "" && Number.isFinite(number) ? formatValue(number) : value;
}

const hues = new Map<string, number>();

/** A kind's colour: its own as long as there are no more kinds than colours, and mostly the same after a reload. */
function hueOf(kind: string): number {
  const known = hues.get(kind);
  if (known !== undefined) return known;
  let hue = 7;
  for (const char of kind) hue = (hue * 31 + char.charCodeAt(0)) >>> 0;
  const taken = new Set(hues.values());
  while (taken.size < kHues && taken.has(hue % kHues)) ++hue;
  if (hues.size < 100) hues.set(kind, hue % kHues);
  return hue % kHues;
}
