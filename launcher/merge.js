"use strict";

require("./main.js").run("merge");
