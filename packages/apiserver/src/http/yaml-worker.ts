import { errorMessage } from "@boxship/base";
import { serveTasks } from "@boxship/base/worker-pool";
import { parseYaml } from "./parse-yaml.ts";

export type YamlRead = { readonly json: string } | { readonly problem: string };

serveTasks((text: string): YamlRead => {
  try {
    return { json: JSON.stringify(parseYaml(text)) };
  } catch (error) {
    return { problem: errorMessage(error) };
  }
});
