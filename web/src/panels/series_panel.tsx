import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatName, formatValue } from "../format";
import type { PanelDefinition } from "../model/protocol";
import type { SeriesState, Store } from "../model/store";
import { cssColor, seriesColor } from "../theme";
import { useChanges, useThemeVersion } from "../view/hooks";
import { PanelFrame } from "../view/panel";

const kHeight = 168;
const kTimeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

interface Props {
  store: Store;
  index: number;
  panel: PanelDefinition;
}

export function SeriesPanel({ store, index, panel }: Props) {
  const series = (store.states[index] as SeriesState).series;
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [hover, setHover] = useState<number | null>(null);
  const theme = useThemeVersion();
  useChanges(store, index);

  const windowSeconds = Number(panel.options.window ?? 300_000) / 1000;
  const unit = String(panel.options.unit ?? "");
  const lines = series.lines.join("\n");
  const now = Math.floor(store.now() / 1000);

  useEffect(() => {
    const element = host.current!;
    const made = new uPlot(
      chartOptions(element.clientWidth, series.lines),
      series.columns(now) as uPlot.AlignedData,
      element,
    );
    made.hooks.setCursor = [(plot: uPlot) => setHover(plot.cursor.idx ?? null)];
    chart.current = made;
    const resize = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: kHeight }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
    };
  }, [lines, theme, store]);

  useEffect(() => {
    const plot = chart.current;
    if (!plot) return;
    plot.setData(series.columns(now) as uPlot.AlignedData, false);
    plot.setScale("x", { min: now - windowSeconds, max: now });
  });

  const shown = (line: number) => {
    const at = hover === null ? null : chart.current?.data[line + 1]?.[hover];
    return hover === null ? series.last(line) : (at ?? null);
  };
  const title = String(panel.options.title ?? panel.options.metric ?? panel.options.topic ?? "Series");
  const single = series.lines.length === 1;
  return (
    <PanelFrame title={title} kind="series" aside={single && <Reading value={shown(0)} unit={unit} />}>
      <div
        class="chart"
        ref={host}
        role="img"
        aria-label={`${title}, last ${Math.round(windowSeconds / 60)} minutes`}
      />
      {series.lines.length === 0 && <p class="chart-empty">Waiting for data</p>}
      {series.lines.length > 1 && (
        <ul class="legend">
          {series.lines.map((line, at) => (
            <li key={line}>
              <span class="swatch" style={{ background: `var(--series-${at % 8})` }} />
              {formatName(line)} <Reading value={shown(at)} unit={unit} />
            </li>
          ))}
        </ul>
      )}
    </PanelFrame>
  );
}

function Reading({ value, unit }: { value: number | null; unit: string }) {
  return (
    <span class="reading">
      <b>{value === null ? "–" : formatValue(value)}</b>
      {unit && ` ${unit}`}
    </span>
  );
}

function chartOptions(width: number, lines: string[]): uPlot.Options {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: cssColor("--muted"), font, ticks: { show: false } };
  const single = lines.length === 1;
  return {
    width,
    height: kHeight,
    legend: { show: false },
    padding: [8, 14, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_, min, max) => yRange(min, max) } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        gap: 6,
        space: 58,
        incrs: kTimeSteps,
        values: (_, seconds) => seconds.map(clockLabel),
      },
      {
        ...axis,
        grid: { stroke: cssColor("--line"), width: 1 },
        size: 46,
        space: 36,
        values: (_, values) => values.map((value) => formatValue(value)),
      },
    ],
    series: [
      {},
      ...lines.map((line, index) => ({
        label: line,
        stroke: seriesColor(index),
        width: 1.6,
        spanGaps: true,
        points: { show: false },
        ...(single ? { fill: `${seriesColor(index)}22` } : {}),
      })),
    ],
  };
}

function clockLabel(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const text = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return date.getSeconds() === 0 ? text : `${text}:${two(date.getSeconds())}`;
}

/** From zero where the values are near it, with some air above. */
function yRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  const low = min >= 0 && min < max * 0.75 ? 0 : min;
  const air = Math.max((max - low) * 0.12, Math.abs(max) * 0.02, 0.5);
  return [low === 0 ? 0 : low - air, max + air];
}
