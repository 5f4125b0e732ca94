export { headerFunctions, templateFunctions } from "./docker-functions.ts";
export { sprint, sprintf, sprintln } from "./format.ts";
export { type JsonOptions, parseJson, toJson } from "./json.ts";
export { quote } from "./quote.ts";
export type { MissingKey } from "./state.ts";
export { Template, type TemplateFunction, type TemplateOptions } from "./template.ts";
export * from "./types.ts";
export { plainOf, typed, Value, valueOf } from "./value.ts";
