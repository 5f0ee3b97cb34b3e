import { useEffect, useRef } from "preact/hooks";
import { formatTime } from "../format";
import type { TopicRecord } from "../model/protocol";
import { useJson } from "./hooks";

/** The newest records of a topic, asked for again every two seconds. */
export function RecordsDialog({ topic, onClose }: { topic: string; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const answer = useJson<{ records: TopicRecord[] }>(
    `/api/v1/topics/${encodeURIComponent(topic)}/records?limit=50`,
    2000,
  );
  const kept = useRef<TopicRecord[]>([]);
  if (answer) kept.current = answer.records;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      class="records"
      ref={dialog}
      onClose={onClose}
      aria-label={`Newest records of ${topic}`}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <header class="panel-head">
        <h2>{topic}</h2>
        <span class="muted">newest records</span>
        <button type="button" class="close" aria-label="Close" onClick={() => dialog.current?.close()}>
          ×
        </button>
      </header>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col" class="number">
                Partition
              </th>
              <th scope="col" class="number">
                Offset
              </th>
              <th scope="col">Key</th>
              <th scope="col">Value</th>
            </tr>
          </thead>
          <tbody>
            {[...kept.current].reverse().map((record) => (
              <tr key={`${record.partition}-${record.offset}`}>
                <td>{formatTime(record.timestamp)}</td>
                <td class="number">{record.partition}</td>
                <td class="number">{record.offset}</td>
                <td class="mono">{record.key ?? <span class="muted">null</span>}</td>
                <td class="mono value">{record.value ?? <span class="muted">null</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {kept.current.length === 0 && <p class="empty">No records</p>}
      </div>
    </dialog>
  );
}
