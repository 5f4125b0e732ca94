export { helmFunctions } from "./functions/sprig-functions.ts";
