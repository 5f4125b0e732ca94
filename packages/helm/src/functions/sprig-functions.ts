import type { TemplateFunction } from "@boxship/template";
import { cryptoFunctions } from "./crypto.ts";
import { dateFunctions } from "./dates.ts";
import { choiceFunctions, dictFunctions } from "./dicts.ts";
import { encodingFunctions } from "./encodings.ts";
import { listFunctions } from "./lists.ts";
import { numberFunctions } from "./numbers.ts";
import { regexFunctions } from "./regex.ts";
import { stringFunctions } from "./strings.ts";
import { versionFunctions } from "./versions.ts";
import { formatFunctions } from "./yaml.ts";

/** All functions of sprig but `env` and `expandenv`, which Helm has not either. */
export const sprigFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...stringFunctions,
  ...listFunctions,
  ...dictFunctions,
  ...choiceFunctions,
  ...numberFunctions,
  ...regexFunctions,
  ...encodingFunctions,
  ...versionFunctions,
  ...dateFunctions,
  ...cryptoFunctions,
};

/** The same with Helm's own that need no chart. */
export const helmFunctions: Readonly<Record<string, TemplateFunction>> = { ...sprigFunctions, ...formatFunctions };
