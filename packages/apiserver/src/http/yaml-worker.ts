import { errorMessage } from "@boxship/base";
import { serveTasks } from "@boxship/base/worker-pool";
import { parseYaml } from "./parse-yaml.ts";
import { toYaml } from "./to-yaml.ts";

export type YamlTask = { readonly read: string } | { readonly write: Uint8Array };
export type YamlRead = { readonly json: string } | { readonly problem: string };
export type YamlWritten = Uint8Array;

serveTasks((task: YamlTask): YamlRead | YamlWritten => {
  if ("write" in task) return toYaml([task.write]);
  try {
    return { json: JSON.stringify(parseYaml(task.read)) };
  } catch (error) {
    return { problem: errorMessage(error) };
  }
});
