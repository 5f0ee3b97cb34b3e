import { useEffect, useState } from "preact/hooks";
import { formatAge } from "./format";
import type { DashboardDefinition, PanelDefinition, PanelType, Status } from "./model/protocol";
import { type Connection, Store } from "./model/store";
import { AlertsPanel } from "./panels/alerts_panel";
import { MapPanel } from "./panels/map_panel";
import { SeriesPanel } from "./panels/series_panel";
import { ComponentsPanel, StatsPanel, TopicsPanel } from "./panels/table_panels";
import { setTheme, themeChoice, type ThemeChoice } from "./theme";
import { useChanges, useJson } from "./view/hooks";
import { StorageNotice } from "./view/storage_notice";

const kPanels = {
  map: MapPanel,
  timeseries: SeriesPanel,
  alerts: AlertsPanel,
  topics: TopicsPanel,
  components: ComponentsPanel,
  stats: StatsPanel,
};

export function App() {
  const dashboards = useJson<{ dashboards: DashboardDefinition[] }>("/api/v1/dashboards", 0)?.dashboards;
  const [name, setName] = useState(nameInAddress());
  useEffect(() => {
    const back = () => setName(nameInAddress());
    window.addEventListener("popstate", back);
    return () => window.removeEventListener("popstate", back);
  }, []);
  if (!dashboards)
    return (
      <p class="empty" role="status">
        Loading…
      </p>
    );
  const chosen = dashboards.find((dashboard) => dashboard.name === name) ?? dashboards[0]!;
  const go = (to: string) => {
    window.history.pushState(null, "", `/dashboards/${encodeURIComponent(to)}`);
    setName(to);
  };
  return <DashboardPage key={chosen.name} dashboard={chosen} all={dashboards} go={go} />;
}

function nameInAddress(): string {
  const match = /^\/dashboards\/([^/]+)$/.exec(window.location.pathname);
  return match ? decodeURIComponent(match[1]!) : "";
}

interface PageProps {
  dashboard: DashboardDefinition;
  all: DashboardDefinition[];
  go: (name: string) => void;
}

function DashboardPage({ dashboard, all, go }: PageProps) {
  const [store] = useState(() => new Store(dashboard));
  useEffect(() => {
    store.open();
    document.title = `${dashboard.title} · Headrace`;
    return () => store.close();
  }, [store]);
  const numbered = dashboard.panels.map((panel, index) => ({ panel, index }));
  const of = (...types: PanelType[]) =>
    numbered
      .filter(({ panel }) => types.includes(panel.type))
      .map(({ panel, index }) => <AnyPanel key={index} store={store} panel={panel} index={index} />);
  const wide = dashboard.panels.some((panel) => panel.type === "map" || panel.type === "timeseries");
  return (
    <>
      <Head store={store} dashboard={dashboard} all={all} go={go} />
      <main class={wide ? "board" : "board narrow"}>
        <div class="area-top">{of("stats")}</div>
        {wide && (
          <div class="area-main">
            {of("map")}
            <div class="charts">{of("timeseries")}</div>
          </div>
        )}
        <div class="area-side">{of("alerts", "components", "topics")}</div>
      </main>
    </>
  );
}

function AnyPanel({ store, panel, index }: { store: Store; panel: PanelDefinition; index: number }) {
  const Panel = kPanels[panel.type];
  return <Panel store={store} panel={panel} index={index} />;
}

const kConnectionText: Record<Connection, string> = {
  connecting: "Connecting",
  live: "Live",
  behind: "Catching up",
  lost: "Reconnecting",
};

function Head({ store, dashboard, all, go }: PageProps & { store: Store }) {
  const status = useJson<Status>("/api/v1/status", 10_000);
  const [kept, setKept] = useState<Status | null>(null);
  useEffect(() => {
    if (status) setKept(status);
  }, [status]);
  useChanges(store, "shell");
  return (
    <>
      <header class="head">
        <a class="brand" href="/" aria-label="Headrace, first page">
          <img src="/assets/icon.svg" alt="" width="24" height="24" />
          <span>Headrace</span>
        </a>
        <nav aria-label="Dashboards">
          {all.map((entry) => (
            <a
              key={entry.name}
              href={`/dashboards/${encodeURIComponent(entry.name)}`}
              aria-current={entry.name === dashboard.name ? "page" : undefined}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey) return;
                event.preventDefault();
                go(entry.name);
              }}
            >
              {entry.title}
            </a>
          ))}
        </nav>
        <div class="head-right">
          {kept && (
            <span class="muted head-facts">
              {kept.bus} · up {formatAge(kept.uptime_ms)} · {kept.version}
            </span>
          )}
          <span class={`connection connection-${store.connection}`} role="status">
            <span class="dot" aria-hidden="true" />
            {kConnectionText[store.connection]}
          </span>
          <ThemeButton />
        </div>
      </header>
      {kept && <StorageNotice components={kept.components} />}
    </>
  );
}

const kNextTheme: Record<ThemeChoice, ThemeChoice> = { auto: "light", light: "dark", dark: "auto" };
const kThemeIcon: Record<ThemeChoice, string> = {
  auto: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z",
  light:
    "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 .5v2M8 13.5v2M.5 8h2M13.5 8h2" +
    "M2.7 2.7l1.4 1.4M11.9 11.9l1.4 1.4M13.3 2.7l-1.4 1.4M4.1 11.9l-1.4 1.4",
  dark: "M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z",
};

function ThemeButton() {
  const [choice, setChoice] = useState(themeChoice());
  const next = kNextTheme[choice];
  return (
    <button
      type="button"
      class="icon-button"
      data-testid="theme"
      aria-label={`Colours: ${choice}; switch to ${next}`}
      title={`Colours: ${choice}`}
      onClick={() => {
        setTheme(next);
        setChoice(next);
      }}
    >
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <path
          d={kThemeIcon[choice]}
          fill="none"
          stroke="currentColor"
          stroke-width="1.4"
          stroke-linecap="round"
          stroke-linejoin="round"
        />
        {choice === "auto" && <path d="M8 2a6 6 0 0 0 0 12z" fill="currentColor" />}
      </svg>
    </button>
  );
}
