import { equal } from "node:assert/strict";
import { Session } from "@boxship/kubectl/cluster";
import { startApiServer, tempDir } from "@boxship/testkit";
import { type Ran, runHere } from "./chart-cases.ts";

/** An object as tests look at it. */
export interface Found {
  readonly data?: Readonly<Record<string, string>>;
  readonly metadata: {
    readonly resourceVersion?: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
}

/** An API server of this checkout, and helm on it. */
export async function startReleaseServer() {
  await using starting = new AsyncDisposableStack();
  const home = starting.use(tempDir("helm"));
  const server = starting.use(await startApiServer());
  const { globalFlags } = await import("@boxship/kubectl/cluster");
  const initial = Object.fromEntries(Object.entries(globalFlags).map(([name, flag]) => [name, flag.initial]));
  const sink = { write: () => undefined };
  const io = { stdin: process.stdin, stdout: sink, stderr: sink, env: {} };
  const flags = { ...(initial as unknown as Session["flags"]), kubeconfig: server.kubeconfig };
  const session = starting.use(new Session(io, flags));
  const stack = starting.move();

  const helm = (line: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
    runHere(line.split(" "), { KUBECONFIG: server.kubeconfig, HOME: home.path, ...env });
  const done = async (line: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
    const { status, stdout, stderr } = await helm(line, env);
    equal(status, 0, `${line}: ${stderr}`);
    return stdout;
  };
  /** Undefined: there is none. */
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    contentType = "application/json",
  ): Promise<Found | undefined> => {
    const api = await session.api();
    try {
      return (await api.call(method, path, { body: body as never, contentType })) as unknown as Found;
    } catch (error) {
      if ((error as Error).name === "NotFound") return undefined;
      throw error;
    }
  };
  const map = (name: string) => call("GET", `/api/v1/namespaces/default/configmaps/${name}`);
  const deployment = (name: string) => call("GET", `/apis/apps/v1/namespaces/default/deployments/${name}`);
  const merge = (path: string, patch: unknown) => call("PATCH", path, patch, "application/merge-patch+json");
  const statuses = async (name: string): Promise<readonly string[]> =>
    (JSON.parse(await done(`history ${name} -o json`)) as readonly { readonly status: string }[]).map(
      ({ status }) => status,
    );
  const dispose = () => stack.disposeAsync();
  return { home, server, session, helm, done, call, map, deployment, merge, statuses, [Symbol.asyncDispose]: dispose };
}

export type ReleaseServer = Awaited<ReturnType<typeof startReleaseServer>>;
