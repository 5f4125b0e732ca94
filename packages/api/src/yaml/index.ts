export { type LoadYamlOptions, loadYaml, splitYaml } from "./load-yaml.ts";
export { toYaml } from "./to-yaml.ts";
export { compareKeys, isPlainText } from "./yaml-text.ts";
