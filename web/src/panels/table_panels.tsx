import { useState } from "preact/hooks";
import { formatAge, formatBytes, formatCount, formatName, formatValue } from "../format";
import type { Component, ComponentsUpdate, PanelDefinition, StatsUpdate, TopicsUpdate } from "../model/protocol";
import type { AlertsState, DocumentState, MapState, Store } from "../model/store";
import { RecordsDialog } from "../view/records_dialog";
import { useChanges } from "../view/hooks";
import { Empty, PanelFrame } from "../view/panel";

interface Props {
  store: Store;
  index: number;
  panel: PanelDefinition;
}

export function TopicsPanel({ store, index, panel }: Props) {
  const { topics = [], error } = (store.states[index] as DocumentState<TopicsUpdate>).value;
  const [internal, setInternal] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  useChanges(store, index);
  const hidden = topics.filter((topic) => topic.internal).length;
  const shown = topics.filter((topic) => internal || !topic.internal).sort((a, b) => a.name.localeCompare(b.name));
  const most = Math.max(1, ...shown.map((topic) => topic.rate));
  const aside = hidden > 0 && (
    <label class="check">
      <input type="checkbox" checked={internal} onChange={(event) => setInternal(event.currentTarget.checked)} />
      internal
    </label>
  );
  return (
    <PanelFrame title={String(panel.options.title ?? "Topics")} kind="topics" aside={aside}>
      {error && (
        <p class="problem" role="alert">
          {error}
        </p>
      )}
      {shown.length === 0 ? (
        <Empty>No topics yet</Empty>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Topic</th>
                <th scope="col" class="number">
                  Per second
                </th>
                <th scope="col" class="number">
                  Records
                </th>
                <th scope="col" class="number">
                  Size
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((topic) => (
                <tr key={topic.name}>
                  <th scope="row">
                    <button
                      type="button"
                      class="link"
                      onClick={() => setOpen(topic.name)}
                      title="Show the newest records"
                    >
                      {topic.name}
                    </button>
                    <span class="muted" title="Partitions">
                      {" "}
                      ×{topic.partitions}
                    </span>
                  </th>
                  <td class="number rate">
                    <span class="bar" style={{ width: `${(topic.rate / most) * 100}%` }} />
                    <span data-topic-rate={topic.name}>{formatValue(topic.rate)}</span>
                  </td>
                  <td class="number" data-topic-records={topic.name} title={String(topic.records)}>
                    {formatCount(topic.records)}
                  </td>
                  <td class="number">{formatBytes(topic.bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {open !== null && <RecordsDialog topic={open} onClose={() => setOpen(null)} />}
    </PanelFrame>
  );
}

const kTrouble = ["failed", "damaged", "refusing", "retrying"];

export function ComponentsPanel({ store, index, panel }: Props) {
  const { components = [] } = (store.states[index] as DocumentState<ComponentsUpdate>).value;
  useChanges(store, index);
  const rank = (component: Component) =>
    (kTrouble.indexOf(component.state) + kTrouble.length + 1) % (kTrouble.length + 1);
  const sorted = [...components].sort((a, b) => rank(a) - rank(b) || a.component.localeCompare(b.component));
  const troubled = components.filter((component) => kTrouble.includes(component.state)).length;
  const aside = components.length > 0 && (
    <span class={troubled > 0 ? "state-text-retrying" : "muted"}>
      {troubled > 0 ? `${troubled} of ${components.length} in trouble` : `all ${components.length} well`}
    </span>
  );
  return (
    <PanelFrame title={String(panel.options.title ?? "Components")} kind="components" aside={aside}>
      {sorted.length === 0 ? (
        <Empty>Nothing runs yet</Empty>
      ) : (
        <ul class="components">
          {sorted.map((component) => {
            const [kind, ...name] = component.component.split(/[ /]/);
            return (
              <li key={component.component} data-component={component.component} data-state={component.state}>
                <span class={`dot state-${component.state}`} aria-hidden="true" />
                <span class="component-name">
                  {name.length > 0 && <span class="muted">{kind} </span>}
                  {name.length > 0 ? name.join(" ") : kind}
                </span>
                <span class={`component-state state-text-${component.state}`}>
                  {component.state} <span class="muted">{formatAge(store.now() - component.since)}</span>
                </span>
                {component.detail && (
                  <span class="component-detail" title={component.detail}>
                    {component.detail}
                  </span>
                )}
              </li>
            );
          })}
        </ul>
      )}
    </PanelFrame>
  );
}

/** A strip of numbers: what the panel is configured with, then what the dashboard's map and alert list know. */
export function StatsPanel({ store, index }: Props) {
  const { items = [] } = (store.states[index] as DocumentState<StatsUpdate>).value;
  useChanges(store, index);
  const extra: { label: string; value: number; unit: string }[] = [];
  for (const state of store.states) {
    const { devices } = state as MapState;
    if (devices) {
      extra.push({ label: "Devices", value: devices.total, unit: "" });
      for (const { status, count } of devices.byStatus())
        extra.push({ label: formatName(status), value: count, unit: "" });
    }
    const { alerts } = state as AlertsState;
    if (alerts) extra.push({ label: "Alerts, last minute", value: alerts.recent, unit: "" });
  }
  return (
    <dl class="stats" aria-label="Figures">
      {[...items, ...extra].map((item) => (
        <div key={item.label} class="stat">
          <dt>{item.label}</dt>
          <dd data-stat={item.label}>
            {formatValue(item.value)}
            {item.unit && <span class="unit"> {item.unit}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
