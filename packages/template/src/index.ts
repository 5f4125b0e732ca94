export { headerFunctions, templateFunctions } from "./docker-functions.ts";
export { sprint, sprintf, sprintln } from "./format.ts";
export { type JsonOptions, parseJson, toJson } from "./json.ts";
export { quote } from "./quote.ts";
export type { Budget, MissingKey } from "./state.ts";
export { Template, type TemplateFunction, type TemplateOptions } from "./template.ts";
export * from "./types.ts";
export {
  boolOf,
  elementsOf,
  entriesOf,
  indirect,
  intOf,
  isNil as isGoNil,
  isTrue,
  type MaybeValue,
  plainOf,
  textOf as textOfValue,
  typed,
  Value,
  valueOf,
} from "./value.ts";
