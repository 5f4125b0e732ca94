import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createLogger, errorMessage, hostAndPort, type Logger, systemClock } from "@boxship/base";
import { IdleMemory, keepAllocatorSmall, releaseMemory } from "@boxship/kernel";
import {
  htpasswdAccess,
  openRegistry,
  parseAccessFile,
  type Registry,
  type RegistryOptions,
  readTlsFiles,
  refreshKey,
  type TlsFiles,
  watchTlsFiles,
} from "@boxship/registry";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, duration, text } from "../flags/flag.ts";
import { parseListenAddress } from "../format/parse-listen-address.ts";
import { readRegistryFile, readText } from "../shared/registry-file.ts";

const HOUR = 3600;

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Serve images and other artifacts to every client, until it is told to stop",
  flags: {
    "access-file": text("YAML file of groups and rules: who may pull, push and delete where", { hint: "path" }),
    config: text("YAML file of quotas, retention, webhooks and caches", { hint: "path" }),
    "gc-interval": duration("How often what nothing needs is removed; 0 for never"),
    htpasswd: text("File of users with bcrypt hashes; without it, everybody may do everything", { hint: "path" }),
    "immutable-tags": bool("Tags stay what they are once they are pushed"),
    listen: text("Address and port to listen at", { initial: "127.0.0.1:5000", hint: "address" }),
    "no-delete": bool("Refuse to delete anything"),
    root: text("Directory of what it keeps", { initial: "/var/lib/boxship-registry", hint: "path" }),
    "tls-cert": text("PEM file of the server's certificate", { hint: "path" }),
    "tls-key": text("PEM file of its key", { hint: "path" }),
  },
  async run(context, { flags, changed }) {
    const { host, port } = parseListenAddress(flags.listen);
    const tls = tlsFiles(flags["tls-cert"], flags["tls-key"]);
    const policy = readRegistryFile(flags.config);
    const logger = createLogger();
    keepAllocatorSmall();
    await using registry = await openRegistry({
      root: flags.root,
      ...readAccess(flags.htpasswd, flags["access-file"], flags.root),
      ...(tls !== undefined && { tls: readTlsFiles(tls) }),
      policy,
      deletion: !flags["no-delete"],
      immutableTags: flags["immutable-tags"],
      logger,
    });
    using _renewals = tls === undefined ? undefined : watchTlsFiles(tls, logger, (texts) => registry.setTls(texts));
    const { server } = registry;
    using idle = new IdleMemory(systemClock);
    idle.watch(server);
    server.listen(port, host);
    await once(server, "listening");
    const { address, port: actual } = server.address() as AddressInfo;
    const shown = hostAndPort(address, actual);
    // What was only needed to get here.
    await releaseMemory();
    print(context, `Serving at ${tls === undefined ? "http" : "https"}://${shown}`);

    const seconds = changed.has("gc-interval") ? flags["gc-interval"] / 1e9 : HOUR;
    const timer = seconds > 0 ? setInterval(() => void tidy(registry, logger), seconds * 1000) : undefined;
    await Promise.race((["SIGINT", "SIGTERM"] as const).map((signal) => once(process, signal)));
    clearInterval(timer);
    server.close();
    server.closeAllConnections();
  },
});

/** What the rules do not hold, and then what nothing needs. */
async function tidy(registry: Registry, logger: Logger): Promise<void> {
  try {
    for (const retired of await registry.retain()) logger.info("a tag was retired", { ...retired });
    await registry.collectGarbage();
  } catch (error) {
    logger.error(`garbage stays: ${errorMessage(error)}`);
  }
}

function tlsFiles(certificate: string, key: string): TlsFiles | undefined {
  if (certificate === "" && key === "") return undefined;
  if (certificate === "" || key === "") throw new Failure("--tls-cert and --tls-key go together");
  return { certificate, key };
}

function readAccess(htpasswd: string, rules: string, root: string): Pick<RegistryOptions, "access"> {
  if (htpasswd === "" && rules === "") return {};
  const file = rules === "" ? undefined : parseAccessFile(readText(rules), rules);
  return {
    access: htpasswdAccess({
      htpasswd: htpasswd === "" ? "" : readText(htpasswd),
      key: refreshKey(root),
      ...(file !== undefined && { rules: file.rules, groups: file.groups }),
    }),
  };
}
