// The elements that every page may use. A page reads and its forms work without them.
import "./copy.js";
import "./notice.js";
import "./password-field.js";
import "./dialogs.js";
