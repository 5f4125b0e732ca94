import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface RegistryOptions {
  /** Who may read and write. `htpasswd` knows {@link REGISTRY_USER} only. @default "none" */
  readonly auth?: "none" | "htpasswd";
  /** @default any free one */
  readonly port?: number;
  /** Serve TLS with this certificate and key, PEM files. @default plain HTTP */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Further configuration as the registry's own environment variables, e.g. `REGISTRY_AUTH_TOKEN_REALM`. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A stock registry server of this machine's distribution, on a loopback port, with a directory of its own. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`, as in image references. */
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly auth: "none" | "htpasswd";
  readonly pid: number;
  /** Directory that holds what was pushed; blobs are at `docker/registry/v2/blobs/sha256/<2>/<hex>/data`. */
  readonly storage: string;
}

/** The account of a registry with htpasswd. */
export const REGISTRY_USER = { username: "tester", password: "secret" } as const;

// bcrypt of the password above, as htpasswd -B writes it.
const HTPASSWD = "tester:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

function configuration(directory: string, options: RegistryOptions): string {
  const { port = 0, auth = "none", tls } = options;
  const lines = [
    "version: 0.1",
    "log: { level: info, accesslog: { disabled: true } }",
    "storage:",
    `  filesystem: { rootdirectory: ${JSON.stringify(join(directory, "storage"))} }`,
    "  delete: { enabled: true }",
    "http:",
    `  addr: 127.0.0.1:${port}`,
    "  secret: test",
  ];
  if (tls !== undefined) {
    lines.push(`  tls: { certificate: ${JSON.stringify(tls.certificate)}, key: ${JSON.stringify(tls.key)} }`);
  }
  if (auth === "htpasswd") {
    lines.push("auth:", `  htpasswd: { realm: test, path: ${JSON.stringify(join(directory, "htpasswd"))} }`);
  }
  return `${lines.join("\n")}\n`;
}

/** Starts a registry and resolves once it listens. Disposing it ends the process and removes its directory. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), "boxship-registry-"));
  const config = join(directory, "config.yml");
  await writeFile(config, configuration(directory, options));
  await writeFile(join(directory, "htpasswd"), HTPASSWD);
  // A test that is killed takes its registry along.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "docker-registry", "serve", config], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, OTEL_TRACES_EXPORTER: "none", ...options.environment },
  });
  try {
    const port = await listening(child);
    const scheme = options.tls === undefined ? "http" : "https";
    return {
      host: `127.0.0.1:${port}`,
      port,
      url: `${scheme}://127.0.0.1:${port}`,
      auth: options.auth ?? "none",
      pid: child.pid ?? 0,
      storage: join(directory, "storage"),
      [Symbol.asyncDispose]: () => end(child, directory),
    };
  } catch (error) {
    await end(child, directory);
    throw error;
  }
}

/** The port from the line in which the registry says that it listens. */
async function listening(child: ChildProcess): Promise<number> {
  const { stderr } = child;
  if (stderr === null) throw new Error("docker-registry has no standard error");
  const failed = once(child, "exit").then(([code]) => Promise.reject(new Error(`docker-registry ended with ${code}`)));
  const words: string[] = [];
  const found = (async () => {
    for await (const line of createInterface({ input: stderr })) {
      words.push(line);
      const port = /listening on [^"]*:(\d+)/.exec(line)?.[1];
      if (port !== undefined) return Number(port);
    }
    throw new Error(`docker-registry did not start:\n${words.join("\n")}`);
  })();
  failed.catch(() => {});
  const port = await Promise.race([found, failed]);
  stderr.resume();
  return port;
}

async function end(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
  await rm(directory, { recursive: true, force: true });
}
