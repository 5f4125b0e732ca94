export { toYaml } from "./to-yaml.ts";
export { compareKeys, isPlainText } from "./yaml-text.ts";
