import { dialWords, type ErrorDetails, errorMessage, hostAndPort, InvalidArgument, systemCode } from "@boxship/base";
import type { LogConnection } from "@boxship/runtime";
import type { ContainerRecord } from "../container/record.ts";
import type { EngineContext } from "../context.ts";
import { StartFailed } from "../errors.ts";
import { fluentdAddress, gelfAddress, type ShippingDriver, syslogAddress } from "./driver-options.ts";
import { checkLogPatterns } from "./log-attributes.ts";
import { parseFlag } from "./log-option.ts";
import { isShipping, planLog } from "./log-plan.ts";
import { renderTag } from "./log-tag.ts";
import { logTarget } from "./log-target.ts";

/** What a start says that does not come to its process. Docker reads it out of its words, whatever they are about. */
function exitCodeOf(words: string): number {
  if (words.includes("no such file or directory")) return 127;
  return words.includes("permission denied") ? 126 : 128;
}

/**
 * The first connection to a container's log server, after its options have been checked. Whoever starts a container wants to know that nobody listens there;
 * `fluentd-async` says that it does not matter.
 *
 * @returns nothing for containers whose logs stay here
 * @throws StartFailed in Docker's words
 */
export async function reachLogServer(
  context: EngineContext,
  record: ContainerRecord,
  signal: AbortSignal,
): Promise<LogConnection | undefined> {
  const { driver, options, problem } = planLog(record.hostConfig.logConfig, context.options.log);
  const subject = { kind: "log driver", name: driver };
  try {
    if (problem !== undefined) throw problem;
    await checkLogPatterns(options);
    renderTag(options["tag"] ?? "", record);
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error;
    throw notInitialized(error.message, {
      subject,
      remedy: error.remedy ?? "create it with other --log-opt",
      cause: error,
    });
  }
  if (!isShipping(driver) || (driver === "fluentd" && isAsync(options))) return undefined;
  try {
    const connect = await logTarget(context, record, driver);
    return await connect(signal);
  } catch (cause) {
    const remedy = "start the log server first, or use another --log-driver";
    throw notInitialized(wordsOf(driver, options, cause), { subject, remedy, cause });
  }
}

function notInitialized(why: string, details: ErrorDetails): StartFailed {
  const words = `failed to initialize logging driver: ${why}`;
  return new StartFailed(words, exitCodeOf(words), details);
}

type Options = Readonly<Record<string, string>>;

function isAsync(options: Options): boolean {
  return ["fluentd-async", "fluentd-async-connect"].some((name) => parseFlag(name, options[name], false));
}

function wordsOf(driver: ShippingDriver, options: Options, cause: unknown): string {
  if (systemCode(cause) === undefined) return errorMessage(cause);
  switch (driver) {
    case "journald":
      return "journald is not enabled on this host";
    case "syslog": {
      const address = syslogAddress(options);
      if (address.protocol === "local") return "Unix syslog delivery error";
      if ("path" in address) return dialWords(cause, { network: address.protocol, path: address.path });
      return dialWords(cause, { ...address, network: address.protocol === "udp" ? "udp" : "tcp" });
    }
    case "fluentd": {
      const address = fluentdAddress(options["fluentd-address"]);
      return dialWords(cause, { network: "path" in address ? "unix" : "tcp", ...address });
    }
    case "gelf": {
      const { protocol: network, host, port } = gelfAddress(options["gelf-address"]);
      const words = dialWords(cause, { network, host, port });
      return `gelf: cannot connect to GELF endpoint: ${hostAndPort(host, port)} ${words}`;
    }
  }
}
