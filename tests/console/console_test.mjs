// Drives the console of a running cabs example in headless Chromium, and asserts on what moves.
//
//   HEADRACE_BIN=build/release/headrace node --test tests/console/console_test.mjs
//
// Screenshots go to a temporary folder (HEADRACE_SHOTS names another).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const bin = process.env.HEADRACE_BIN ?? path.join(root, "build/release/headrace");
const cabs = 60;
const folder = mkdtempSync(path.join(tmpdir(), "headrace-console-"));
const shots = process.env.HEADRACE_SHOTS ?? path.join(folder, "shots");
const chromiumArguments = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

let server;
let fleet;
let browser;
let http;

/** Starts the server with its web pages on `address` and returns the addresses of its ready line. */
async function startServer(address) {
  server = spawn(bin, [
    "run", path.join(root, "examples/cabs/cabs.yaml"), "--data", path.join(folder, "data"),
    "--set", "listen.kafka=127.0.0.1:0", "--set", "listen.mqtt=127.0.0.1:0", "--set", `listen.http=${address}`,
    "--set", "sinks.search.enabled=true", "--set", "sinks.search.url=http://127.0.0.1:1",
  ], { stdio: ["ignore", "pipe", "inherit"] });
  const [ready] = await once(createInterface({ input: server.stdout }), "line");
  return Object.fromEntries([...ready.matchAll(/(\w+)=(\S+)/g)].map((match) => [match[1], match[2]]));
}

before(async () => {
  mkdirSync(shots, { recursive: true });
  const ready = await startServer("127.0.0.1:0");
  http = `http://${ready.http}`;
  fleet = spawn(bin, ["sim", "cabs", "--cabs", String(cabs), "--mqtt", ready.mqtt], { stdio: "ignore" });
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, args: chromiumArguments });
});

after(async () => {
  await browser?.close();
  for (const process of [fleet, server]) {
    if (!process || process.exitCode !== null || process.signalCode !== null) continue;
    process.kill("SIGTERM");
    await once(process, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A page of the console without any error of its own; `problems` collects those and requests to other hosts. */
async function open(options = {}) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...options });
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.on("request", (request) => request.url().startsWith(http) || page.problems.push(`asked ${request.url()}`));
  await page.goto(http);
  return page;
}

/** Polls until `read` gives what `accept` takes, and returns it. */
async function until(read, accept, what) {
  const deadline = Date.now() + 60_000;
  let value;
  while (Date.now() < deadline) {
    value = await read().catch((error) => error);
    if (accept(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.fail(`waited for ${what}; the last was ${value}`);
}

const total = (page) => page.getByTestId("device-total").innerText().then(Number);
const records = (page, topic) => page.locator(`[data-topic-records="${topic}"]`).getAttribute("title").then(Number);

test("the fleet is on the map and its markers move", async () => {
  const page = await open();
  await until(() => total(page), (count) => count >= cabs * 0.8, "the cabs");
  const pixels = () => page.locator('canvas[data-layer="devices"]').evaluate((canvas) => canvas.toDataURL());
  const first = await pixels();
  await until(pixels, (now) => now !== first, "markers that move");
  await page.screenshot({ path: path.join(shots, "light.png"), fullPage: true });
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("a selected cab shows its newest record, and it changes", async () => {
  const page = await open();
  await until(() => total(page), (count) => count > 0, "the cabs");
  const answer = await page.request.get(`${http}/api/v1/topics/cabs/records?limit=20`);
  const cab = JSON.parse((await answer.json()).records.at(-1).value).cab;
  await page.getByLabel("Find a device").fill(cab);
  const card = page.getByLabel(`Device ${cab}`);
  const shown = () => card.locator("dl").innerText();
  const first = await until(shown, (text) => typeof text === "string" && text.includes("Lat"), "the card");
  await until(shown, (text) => typeof text === "string" && text !== first, "a newer record in the card");
  await page.screenshot({ path: path.join(shots, "selected.png") });
  await page.close();
});

test("counters increase, rates are there, charts have points", async () => {
  const page = await open();
  const first = await until(() => records(page, "cabs"), (count) => count > 0, "records");
  await until(() => records(page, "cabs"), (count) => count > first, "more records");
  await until(() => page.locator('[data-topic-rate="cabs"]').innerText().then(Number), (rate) => rate > 0, "a rate");
  const reading = () => page.locator(".panel-series .reading b").first().innerText();
  await until(reading, (text) => /^[\d.,k]+$/.test(String(text)), "a reading of a chart");
  await page.close();
});

test("alerts appear, and one leads to its cab", async () => {
  const page = await open();
  const row = page.locator(".alerts li button").first();
  await until(() => page.locator(".alerts li").count(), (count) => count > 0, "an alert");
  const cab = await row.locator(".alert-id").innerText();
  await row.click();
  const title = () => page.locator(".device-card b").innerText();
  await until(title, (text) => text === cab, `the card of ${cab}`);
  await page.close();
});

test("a sink that can't reach its server is shown as retrying, with the reason", async () => {
  const page = await open();
  const sink = page.locator('[data-component="sink search"]');
  await until(() => sink.getAttribute("data-state"), (state) => state === "retrying", "the sink's state");
  assert.match(await sink.innerText(), /refused|connect/i);
  await page.close();
});

test("dark follows the system and the button, and stays after a reload", async () => {
  const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await open({ colorScheme: "light" });
  const dark = await open({ colorScheme: "dark" });
  await dark.getByTestId("theme").waitFor();
  await light.getByTestId("theme").waitFor();
  const [lightColor, darkColor] = [await background(light), await background(dark)];
  assert.notEqual(lightColor, darkColor);
  await until(() => total(dark), (count) => count > 0, "the cabs");
  await dark.screenshot({ path: path.join(shots, "dark.png"), fullPage: true });
  await light.getByTestId("theme").click();
  await light.getByTestId("theme").click();
  assert.equal(await background(light), darkColor);
  await light.reload();
  await light.getByTestId("theme").waitFor();
  assert.equal(await background(light), darkColor);
  await light.close();
  await dark.close();
});

test("on a narrow screen nothing stands outside of it", async () => {
  const page = await open({ viewport: { width: 390, height: 844 } });
  await until(() => total(page), (count) => count > 0, "the cabs");
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `${width} pixels wide`);
  await page.screenshot({ path: path.join(shots, "narrow.png"), fullPage: true });
  await page.close();
});

test("the records of a topic open by keyboard and close with Escape", async () => {
  const page = await open();
  const link = page.getByRole("button", { name: "cabs", exact: true });
  await link.waitFor();
  await link.focus();
  await page.keyboard.press("Enter");
  await until(() => page.locator("dialog.records tbody tr").count(), (count) => count > 0, "records in the dialog");
  await page.keyboard.press("Escape");
  await page.locator("dialog.records").waitFor({ state: "detached" });
  await page.close();
});

test("a page finds its way back to a server that was killed and started again", async () => {
  const page = await open();
  await page.locator(".connection-live").waitFor();
  server.kill("SIGKILL");
  await once(server, "exit");
  await page.locator(".connection-lost").waitFor();
  await startServer(new URL(http).host);
  await page.locator(".connection-live").waitFor({ timeout: 60_000 });
  await page.close();
});

test("records that can't be read are told on the page, and what to do", async () => {
  const file = path.join(folder, "data", "cabs-0", "00000000000000000000.log");
  const bytes = openSync(file, "r+");
  const [at, byte] = [100, Buffer.alloc(1)];
  readSync(bytes, byte, 0, 1, at);
  writeSync(bytes, Buffer.from([byte[0] ^ 1]), 0, 1, at);
  closeSync(bytes);
  const page = await open();
  await page.request.get(`${http}/api/v1/topics/cabs/records?partition=0&offset=0`);
  const notice = page.locator('[data-notice="partitions"]');
  const text = await until(() => notice.innerText(), (shown) => typeof shown === "string", "the notice");
  assert.match(text, /damaged/);
  assert.match(text, /cabs-0 can't give offsets 0 to \d+/);
  assert.match(text, /Check the disk/);
  const component = page.locator('[data-component="partitions"]');
  await until(() => component.getAttribute("data-state"), (state) => state === "damaged", "the component's state");
  await page.screenshot({ path: path.join(shots, "damaged.png") });
  await page.setViewportSize({ width: 390, height: 844 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `${width} pixels wide`);
  await page.screenshot({ path: path.join(shots, "damaged-narrow.png") });
  await page.close();
});
