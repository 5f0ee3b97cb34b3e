import type { Component } from "../model/protocol";

const kStorage = ["partitions", "disk"];

/** What is wrong with the broker's storage, on every dashboard: nobody has to have a panel for it. */
export function StorageNotice({ components }: { components: Component[] }) {
  const troubled = components.filter(({ component, state }) => kStorage.includes(component) && state !== "running");
  if (troubled.length === 0) return null;
  return (
    <div class="notice" role="alert">
      {troubled.map(({ component, state, detail }) => (
        <p key={component} data-notice={component}>
          <b>
            {component}: {state}
          </b>
          {"\n"}
          {detail.trim()}
        </p>
      ))}
    </div>
  );
}
