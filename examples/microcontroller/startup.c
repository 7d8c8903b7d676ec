/* What runs before main on a Cortex-M: the vector table, and memory as C expects it. */
#include <stdint.h>
#include <string.h>

extern uint32_t stack_top[], data_from[], data_start[], data_end[], bss_start[], bss_end[];
int main(void);
void systick_handler(void);
void finish(int code);

void reset_handler(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* the FPU, where there is one; nothing happens where there is none */
    memcpy(data_start, data_from, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    finish(main());
}

static void fault_handler(void)
{
    finish(2);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (void *)reset_handler, (void *)fault_handler, (void *)fault_handler, (void *)fault_handler,
    (void *)fault_handler, (void *)fault_handler, [11] = (void *)fault_handler, [15] = (void *)systick_handler,
};
