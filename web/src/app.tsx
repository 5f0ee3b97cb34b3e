import { useEffect, useState } from "preact/hooks";
import { formatAge } from "./format";
import type { DashboardDefinition, PanelDefinition, Status } from "./model/protocol";
import { type Connection, Store } from "./model/store";
import { AlertsPanel } from "./panels/alerts_panel";
import { MapPanel } from "./panels/map_panel";
import { SeriesPanel } from "./panels/series_panel";
import { ComponentsPanel, StatsPanel, TopicsPanel } from "./panels/table_panels";
import { setTheme, themeChoice, type ThemeChoice } from "./theme";
import { useChanges, useJson } from "./view/hooks";

const kPanels = {
  map: MapPanel,
  timeseries: SeriesPanel,
  alerts: AlertsPanel,
  topics: TopicsPanel,
  components: ComponentsPanel,
  stats: StatsPanel,
};
const kSide = ["alerts", "components", "topics"];

export function App() {
  const dashboards = useJson<{ dashboards: DashboardDefinition[] }>("/api/v1/dashboards", 0)?.dashboards;
  const [name, setName] = useState(nameInAddress());
  useEffect(() => {
    const back = () => setName(nameInAddress());
    window.addEventListener("popstate", back);
    return () => window.removeEventListener("popstate", back);
  }, []);
  if (!dashboards) return <p class="empty" role="status">Loading…</p>;
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
  const top = numbered.filter(({ panel }) => panel.type === "stats");
  const side = numbered.filter(({ panel }) => kSide.includes(panel.type));
  const main = numbered.filter(({ panel }) => panel.type === "map" || panel.type === "timeseries");
  return (
    <>
      <Head store={store} dashboard={dashboard} all={all} go={go} />
      <main class={main.length === 0 ? "board narrow" : "board"}>
        <div class="area-top">{top.map((entry) => <AnyPanel key={entry.index} store={store} {...entry} />)}</div>
        {main.length > 0 && <div class="area-main">{main.map((entry) => <AnyPanel key={entry.index} store={store} {...entry} />)}</div>}
        <div class="area-side">{side.map((entry) => <AnyPanel key={entry.index} store={store} {...entry} />)}</div>
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
  );
}

const kNextTheme: Record<ThemeChoice, ThemeChoice> = { auto: "light", light: "dark", dark: "auto" };
const kThemeIcon: Record<ThemeChoice, string> = {
  auto: "M8 1.500a6.500 6.500 0 1 0 0 13zM8 1.500a6.500 6.500 0 0 1 0 13",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 .5v2M8 13.500v2M.5 8h2M13.500 8h2M2.700 2.700l1.400 1.400M11.900 11.900l1.400 1.400M13.300 2.700l-1.400 1.400M4.100 11.900l-1.400 1.400",
  dark: "M13.500 9.800A6 6 0 0 1 6.200 2.500a6 6 0 1 0 7.300 7.300z",
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
        <path d={kThemeIcon[choice]} fill={choice === "auto" ? "currentColor" : "none"} stroke="currentColor" stroke-width="1.4"
              stroke-linecap="round" stroke-linejoin="round" />
      </svg>
    </button>
  );
}
