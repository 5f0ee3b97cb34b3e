import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  kind: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}

/** The frame around each panel: a heading, something small at its right, the content. */
export function PanelFrame({ title, kind, aside, children }: Props) {
  return (
    <section class={`panel panel-${kind}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {aside !== undefined && <div class="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
