/**
 * The newcomer's tour: an engine, an image, a web server with a published port, and what can be asked of it; then a
 * cluster, an application in it, and its service. Every command is shown as it is typed. It can be run again: what is
 * there already is used.
 */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { styleText } from "node:util";

const name = "quickstart-web";
/** The deployment and its service. */
const application = "quickstart-app";
/** Of its own, so that no registry is asked for a newer one. */
const applicationImage = "quickstart-app:1";
const serve =
  'mkdir -p /www && echo "<h1>Hello from $(hostname)</h1>" >/www/index.html && exec httpd -f -v -p 80 -h /www';
const pullSeconds = 30;
const root = resolve(import.meta.dirname, "..");

interface Ran {
  readonly status: number;
  readonly output: string;
}

interface Options {
  /** Shown on the terminal as it comes. @default true */
  readonly show?: boolean;
  /** Killed after that many seconds. */
  readonly seconds?: number;
}

/** Runs `./boxship` with the arguments; standard output and standard error are collected together. */
function boxship(args: readonly string[], options: Options = {}): Promise<Ran> {
  const show = options.show ?? true;
  if (show) process.stdout.write(styleText("bold", `$ ./boxship ${args.map(quoted).join(" ")}\n`));
  return new Promise((done, fail) => {
    const child = spawn("./boxship", args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGTERM"), (options.seconds ?? 300) * 1000);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        output += text;
        if (show) process.stdout.write(text);
      });
    }
    child.on("error", fail);
    child.on("close", (status) => {
      clearTimeout(timer);
      done({ status: status ?? 143, output });
    });
  });
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
}

/** A command that the tour cannot go on without. */
async function must(args: readonly string[], options: Options = {}): Promise<string> {
  const { status, output } = await boxship(args, options);
  if (status !== 0) {
    const shown = (options.show ?? true) ? "" : output;
    throw new Error(`${shown}'./boxship ${args.map(quoted).join(" ")}' failed with status ${status}`);
  }
  return output;
}

const timings: (readonly [string, number])[] = [];

async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  process.stdout.write(`\n${styleText("cyan", `── ${title}`)}\n`);
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  timings.push([title, seconds]);
  process.stdout.write(styleText("dim", `   ${seconds.toFixed(1)} s\n`));
  return result;
}

async function startEngine(): Promise<void> {
  await must(["version"]);
}

/** The name of a busybox image that is here. */
async function busyboxImage(): Promise<string | undefined> {
  const list = await must(["images", "--format", "{{.Repository}}:{{.Tag}}"], { show: false });
  return list.split("\n").find((line) => /(^|\/)busybox:/.test(line));
}

async function getImage(): Promise<string> {
  const present = await busyboxImage();
  if (present !== undefined) {
    process.stdout.write(`${present} is here already\n`);
    return present;
  }
  const pulled = await boxship(["pull", "busybox"], { seconds: pullSeconds });
  if (pulled.status !== 0) {
    process.stdout.write(
      "The public registry cannot be reached from here: the image is made on the spot, from this system's own busybox.\n",
    );
    await must(["image", "bootstrap", "busybox"]);
  }
  const image = await busyboxImage();
  if (image === undefined) throw new Error("there is no busybox image although it was just made");
  return image;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.on("error", () => done(false));
    server.listen(port, () => server.close(() => done(true)));
  });
}

async function freePort(): Promise<number> {
  for (let port = 8080; port < 8180; port++) if (await isFree(port)) return port;
  throw new Error("no port from 8080 to 8179 is free");
}

async function runServer(image: string): Promise<number> {
  await boxship(["rm", "--force", name], { show: false });
  const port = await freePort();
  await must(["run", "--detach", "--name", name, "--publish", `${port}:80`, image, "sh", "-c", serve]);
  return port;
}

async function fetchPage(url: string): Promise<void> {
  process.stdout.write(`${styleText("bold", `GET ${url}`)}\n`);
  let last: unknown;
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
      const text = await response.text();
      process.stdout.write(`${response.status} ${text}`);
      if (response.ok) return;
    } catch (error) {
      last = error;
    }
    await delay(100);
  }
  throw new Error(`${url} does not answer`, { cause: last });
}

async function look(): Promise<void> {
  await must(["ps"]);
  await must(["logs", name]);
  await must(["exec", name, "ps"]);
}

/** The cluster of one node on this engine. */
async function bringUp(): Promise<void> {
  await must(["up", "--port", "0"]);
  await must(["kubectl", "wait", "node", "--all", "--for=condition=Ready", "--timeout=120s"]);
}

/** @returns the address of its service */
async function deploy(image: string): Promise<string> {
  await must(["tag", image, applicationImage]);
  const { output } = await boxship(["kubectl", "get", "deployments", "-o", "name"], { show: false });
  if (!output.includes(`/${application}\n`)) {
    const replicas = [`--image=${applicationImage}`, "--replicas=2"];
    await must(["kubectl", "create", "deployment", application, ...replicas, "--", "sh", "-c", serve]);
    await must(["kubectl", "expose", "deployment", application, "--type=NodePort", "--port=80"]);
  }
  await must(["kubectl", "rollout", "status", `deployment/${application}`, "--timeout=120s"]);
  await must(["kubectl", "get", "pods,services", "-o", "wide"]);
  const path = "jsonpath={.spec.ports[0].nodePort}";
  return `http://127.0.0.1:${await must(["kubectl", "get", "service", application, "-o", path], { show: false })}/`;
}

/** Lines of a command and what it is for. */
function aligned(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([command]) => command.length));
  return rows.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`).join("\n");
}

function summary(port: number, image: string, deployed: string): string {
  const setup = Number(process.env["BOXSHIP_QUICKSTART_SETUP"] ?? 0);
  const rows = [["setup", setup] as const, ...timings].map(
    ([title, seconds]) => `  ${title.padEnd(28)}${seconds.toFixed(1)} s`,
  );
  const total = setup + timings.reduce((sum, [, seconds]) => sum + seconds, 0);
  return `
${styleText("cyan", "── done")}
${rows.join("\n")}
  ${"altogether".padEnd(28)}${total.toFixed(1)} s

The server runs on: http://127.0.0.1:${port}/
The application's service: ${deployed}
What to type next:
${aligned([
  [`./boxship run -it --rm ${image} sh`, "a shell in a container of its own"],
  [`./boxship exec -it ${name} sh`, "a shell in the web server's"],
  [`./boxship logs -f ${name}`, "every request, as it comes"],
  [`./boxship inspect ${name}`, "all that there is to know"],
  [`./boxship kubectl scale deployment ${application} --replicas=5`, "more of the application"],
  [`./boxship why deployment/${application}`, "what stands in its way, if anything does"],
  ["./boxship image bootstrap debian", "a Debian image from the package mirror"],
  ["./boxship --help", "everything else"],
])}

To take it all away again:
${aligned([
  [`./boxship rm -f ${name}`, "the server"],
  [`./boxship kubectl delete deployment,service ${application}`, "the application"],
  ["./boxship down", "the cluster's process; what it holds stays"],
  ["./boxship system reset", "the engine with all its containers, images and networks"],
])}
`;
}

try {
  await step("start the engine", startEngine);
  const image = await step("get an image", getImage);
  const port = await step("run a web server", () => runServer(image));
  await step("fetch its page", () => fetchPage(`http://127.0.0.1:${port}/`));
  await step("look at it", look);
  await step("bring a cluster up", bringUp);
  const deployed = await step("deploy an application", () => deploy(image));
  await step("fetch its page, too", () => fetchPage(deployed));
  process.stdout.write(summary(port, image, deployed));
} catch (error) {
  process.stderr.write(`quickstart: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
