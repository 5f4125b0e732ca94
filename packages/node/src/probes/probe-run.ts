import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import {
  type Clock,
  DeadlineExceeded,
  dialWords,
  errorMessage,
  goDuration,
  hostAndPort,
  Unavailable,
} from "@boxship/base";
import type { Cri } from "@boxship/cri";
import type { ContainerSpec, HandlerSpec, HttpGet } from "../types.ts";
import { askHealth } from "./ask-health.ts";

/** What a probe or a hook is about. */
export interface ProbeTarget {
  readonly cri: Pick<Cri, "execSync">;
  readonly clock: Clock;
  readonly containerId: string;
  readonly container: ContainerSpec;
  readonly podIP: string;
  readonly timeoutSeconds: number;
  /** A hook, for which any answer by HTTP will do. @default a probe */
  readonly isHook?: boolean;
}

export interface ProbeResult {
  readonly success: boolean;
  /** What was found, for events. */
  readonly output: string;
  /** Whether it could not be found out: the runtime was away, or a port has no such name. */
  readonly errored?: boolean;
  /** How a command failed, beside what it printed. */
  readonly error?: string;
}

const MOST_OUTPUT = 1024;

/** Does once what a probe or a hook says. Never rejects. */
export async function runHandler(handler: HandlerSpec, target: ProbeTarget): Promise<ProbeResult> {
  try {
    const result = await handlerOf(handler, target);
    return { ...result, output: result.output.slice(0, MOST_OUTPUT) };
  } catch (error) {
    return { success: false, output: errorMessage(error), errored: isErrored(handler, error) };
  }
}

/** Who does not answer has failed; a command that cannot be run says nothing. */
function isErrored({ exec }: HandlerSpec, error: unknown): boolean {
  return error instanceof RangeError || exec !== undefined;
}

function handlerOf(handler: HandlerSpec, target: ProbeTarget): Promise<ProbeResult> {
  const { exec, httpGet, tcpSocket, grpc } = handler;
  if (exec !== undefined) return runCommand(exec.command ?? [], target);
  if (httpGet !== undefined) return ask(httpGet, target);
  if (tcpSocket !== undefined) return knock(tcpSocket.host ?? target.podIP, portOf(tcpSocket.port, target), target);
  if (grpc !== undefined) return askHealth(grpc.port, grpc.service ?? "", target);
  return Promise.resolve({ success: true, output: "" });
}

async function runCommand(command: readonly string[], { cri, containerId, timeoutSeconds }: ProbeTarget) {
  try {
    const { exitCode, stdout, stderr } = await cri.execSync({ containerId, cmd: command, timeout: timeoutSeconds });
    const output = Buffer.concat([stdout, stderr]).toString();
    if (exitCode === 0) return { success: true, output };
    const error = `command '${command.join(" ")}' exited with ${exitCode}: ${Buffer.from(stderr).toString()}`;
    return { success: false, output, error };
  } catch (error) {
    if (!(error instanceof DeadlineExceeded)) throw error;
    const after = goDuration(timeoutSeconds * 1e9);
    return {
      success: false,
      output: `command timed out: ${JSON.stringify(command.join(" "))} timed out after ${after}`,
    };
  }
}

/** A port by number, or by the name that the container gives it. */
function portOf(port: number | string, { container }: ProbeTarget): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65536) return number;
  throw new RangeError(`port ${port} is not known`);
}

/** As many redirects are followed as Go's client follows. */
const MOST_REDIRECTS = 10;

async function ask(get: HttpGet, target: ProbeTarget): Promise<ProbeResult> {
  const { path = "/", scheme = "HTTP", host = target.podIP, httpHeaders = [] } = get;
  const first = new URL(`${scheme.toLowerCase()}://${hostAndPort(host, portOf(get.port, target))}`);
  const headers: Record<string, string[]> = {
    "user-agent": [target.isHook === true ? "kube-lifecycle/1.36" : "kube-probe/1.36"],
    accept: ["*/*"],
    connection: ["close"],
  };
  const own = httpHeaders.map((one) => ({ ...one, name: one.name.toLowerCase() }));
  for (const one of own) headers[one.name] = [];
  for (const one of own) headers[one.name]?.push(one.value);
  const deadline = target.clock.monotonic() + target.timeoutSeconds * 1000;
  let at: { readonly url: URL; readonly path: string } = { url: first, path: path.replace(/^(?!\/)/, "/") };
  for (let times = 0; ; times++) {
    const left = (deadline - target.clock.monotonic()) / 1000;
    const { status, location } = await askOnce(at, headers, { ...target, timeoutSeconds: Math.max(0, left) });
    const next = location === undefined ? undefined : URL.parse(location, new URL(at.path, at.url));
    // Where another host is pointed at, the answer itself is what counts.
    if (!REDIRECTS.includes(status) || next == null || next.hostname !== first.hostname) {
      return target.isHook === true ? { success: true, output: "" } : resultOf(status);
    }
    if (times === MOST_REDIRECTS) return { success: false, output: `stopped after ${MOST_REDIRECTS} redirects` };
    at = { url: next, path: `${next.pathname}${next.search}` };
  }
}

const REDIRECTS = [301, 302, 303, 307, 308];

const resultOf = (status: number): ProbeResult => {
  const success = status >= 200 && status < 400;
  return { success, output: success ? "" : `HTTP probe failed with statuscode: ${status}` };
};

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
}

function askOnce(
  { url, path }: { readonly url: URL; readonly path: string },
  headers: Readonly<Record<string, string[]>>,
  target: ProbeTarget,
): Promise<Answer> {
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return within<Answer>(target, (settle, fail) => {
    // Probes of old and new: nobody has checked the certificates of pods.
    // And answers of all sorts: line ends without a carriage return are what scripts of a web server's write.
    const lenient = { rejectUnauthorized: false, insecureHTTPParser: true };
    const sent = request({ host, port, path, headers, ...lenient, agent: false });
    sent.once("response", (response) => {
      response.resume();
      settle({ status: response.statusCode ?? 0, location: response.headers.location });
      sent.destroy();
    });
    sent.on("error", fail);
    sent.end();
    return () => sent.destroy();
  }).catch((cause: unknown) => {
    const why =
      cause instanceof DeadlineExceeded
        ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        : errorMessage(cause) === "socket hang up"
          ? "EOF"
          : dialWords(cause, { network: "tcp", host, port });
    throw new Unavailable(`Get "${url.origin}${path}": ${why}`, { cause });
  });
}

function knock(host: string, port: number, target: ProbeTarget): Promise<ProbeResult> {
  return within<ProbeResult>(target, (settle, fail) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      settle({ success: true, output: "" });
    });
    socket.once("error", fail);
    return () => socket.destroy();
  }).catch((cause: unknown) => {
    const isLate = cause instanceof DeadlineExceeded;
    const why = isLate
      ? `dial tcp ${hostAndPort(host, port)}: i/o timeout`
      : dialWords(cause, { network: "tcp", host, port });
    throw new Unavailable(why, { cause });
  });
}

function within<Result>(
  { clock, timeoutSeconds }: ProbeTarget,
  begin: (settle: (result: Result) => void, fail: (error: Error) => void) => () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(timeoutSeconds * 1000, () => {
      end();
      reject(new DeadlineExceeded(`no answer within ${timeoutSeconds} s`));
    });
    const finish =
      <Value>(then: (value: Value) => void) =>
      (value: Value) => {
        timer[Symbol.dispose]();
        then(value);
      };
    const end = begin(finish(resolve), finish(reject));
  });
}
