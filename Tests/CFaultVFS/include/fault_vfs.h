#ifndef FAULT_VFS_H
#define FAULT_VFS_H

// Makes a shim of SQLite's file layer the default one: files are written through, and beside each an image is kept of what
// was synced. Returns SQLite's code.
int fault_vfs_install(void);

// Writes the synced image of every open or closed file below `folder` to `target`: the disk after a loss of power.
// Returns how many files were written, or -1.
int fault_vfs_power_loss(const char *folder, const char *target);

// Files of the folder cannot grow while a file of that path is there; NULL for never.
void fault_vfs_full_while(const char *folder, const char *path);

#endif
