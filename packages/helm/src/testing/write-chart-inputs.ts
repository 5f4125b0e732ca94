// Writes the charts of testdata/charts as lines of JSON, for the program in Go.
import { chartInput, renderedCases } from "./chart-inputs.ts";

for (const [name, one] of renderedCases()) console.log(JSON.stringify(await chartInput(name, one)));
