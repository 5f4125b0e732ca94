import { Unsupported } from "@boxship/base";
import { type CniNetworkList, type CniPlugin, hasVersion, type JsonObject } from "./configuration.ts";
import { type CniAttachment, findPlugin, type PluginHost, runPlugin } from "./plugin.ts";

/** Running the plugins of a list (CNI specification 1.1, section 3). Calls about one container run one after another. */

/** What a list's plugins said last, in the shape of the list's version. */
export type CniResult = JsonObject;

/** Throws when a program is missing or does not speak the list's version. */
export async function checkPlugins(all: PluginHost, list: CniNetworkList): Promise<void> {
  const host = hostOf(all, list);
  for (const { type } of list.plugins) {
    findPlugin(type, host.directories);
    const version = await runPlugin(host, "VERSION", { type, cniVersion: list.cniVersion });
    const supported = version?.["supportedVersions"];
    if (!Array.isArray(supported) || supported.includes(list.cniVersion)) continue;
    throw new Unsupported(
      `CNI plugin ${type} does not speak version ${list.cniVersion} of configuration ${list.name}, only ${supported.join(", ")}`,
      { subject: { kind: "CNI plugin", name: type }, remedy: "set another cniVersion, or install a newer plugin" },
    );
  }
}

/** Attaches a container. When a plugin fails what the others did is undone. */
export async function addToList(host: PluginHost, list: CniNetworkList, attachment: CniAttachment): Promise<CniResult> {
  let result: CniResult | undefined;
  try {
    for (const plugin of list.plugins) {
      result = await runPlugin(hostOf(host, list), "ADD", execution(list, plugin, attachment, result), attachment);
    }
    return result ?? {};
  } catch (error) {
    // The first failure says more than what may go wrong in cleaning up; the attachment's record brings another try.
    await deleteFromList(host, list, attachment, undefined).catch(() => {});
    throw error;
  }
}

/**
 * Takes a container off. Idempotent. One plugin that fails keeps no other from its work; what it said is thrown then.
 *
 * @param result of the addition, where it is known
 */
export async function deleteFromList(
  host: PluginHost,
  list: CniNetworkList,
  attachment: CniAttachment,
  result: CniResult | undefined,
): Promise<void> {
  const known = hasVersion(list, "0.4.0") ? result : undefined;
  const failures: unknown[] = [];
  for (const plugin of list.plugins.toReversed()) {
    try {
      await runPlugin(hostOf(host, list), "DEL", execution(list, plugin, attachment, known), attachment);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Throws when something is not as the addition left it. Does nothing for lists that cannot be asked. */
export async function checkInList(
  host: PluginHost,
  list: CniNetworkList,
  attachment: CniAttachment,
  result: CniResult,
): Promise<void> {
  if (list.disableCheck || !hasVersion(list, "0.4.0")) return;
  for (const plugin of list.plugins) {
    await runPlugin(hostOf(host, list), "CHECK", execution(list, plugin, attachment, result), attachment);
  }
}

/** Lets plugins forget everything but these attachments. Does nothing for lists that do not know how. */
export async function collectGarbage(
  host: PluginHost,
  list: CniNetworkList,
  valid: readonly Pick<CniAttachment, "containerId" | "interfaceName">[],
): Promise<void> {
  if (list.disableGC || !hasVersion(list, "1.1.0")) return;
  const attachments = valid.map(({ containerId, interfaceName }) => {
    return { containerID: containerId, ifname: interfaceName };
  });
  for (const plugin of list.plugins) {
    const configuration = execution(list, plugin, undefined, undefined);
    await runPlugin(hostOf(host, list), "GC", { ...configuration, "cni.dev/valid-attachments": attachments });
  }
}

/** Throws Unavailable or FailedPrecondition when a plugin is not ready. Does nothing for lists that do not know how. */
export async function listStatus(host: PluginHost, list: CniNetworkList): Promise<void> {
  if (!hasVersion(list, "1.1.0")) return;
  for (const plugin of list.plugins) {
    await runPlugin(hostOf(host, list), "STATUS", execution(list, plugin, undefined, undefined));
  }
}

/** A list may have programs of its own. */
function hostOf(host: PluginHost, { directories = host.directories }: CniNetworkList): PluginHost {
  return { ...host, directories };
}

/** Whether a plugin of the list declares a capability. */
export function hasCapability(list: CniNetworkList, name: string): boolean {
  return list.plugins.some((plugin) => declared(plugin).includes(name));
}

function declared({ capabilities }: CniPlugin): string[] {
  if (typeof capabilities !== "object" || capabilities === null) return [];
  return Object.entries(capabilities).flatMap(([name, value]) => (value === true ? [name] : []));
}

/** The configuration that one plugin is run with. */
function execution(
  list: CniNetworkList,
  plugin: CniPlugin,
  attachment: CniAttachment | undefined,
  previous: CniResult | undefined,
): JsonObject {
  const { capabilities: _capabilities, ...configuration } = plugin;
  const wanted = declared(plugin);
  const values = Object.entries(attachment?.capabilities ?? {}).filter(([name]) => wanted.includes(name));
  return {
    ...configuration,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(values.length === 0 ? {} : { runtimeConfig: Object.fromEntries(values) }),
    ...(previous === undefined ? {} : { prevResult: previous }),
  };
}
