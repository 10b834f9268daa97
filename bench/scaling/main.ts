import { allTables } from "./table.js";

process.stdout.write(allTables());
